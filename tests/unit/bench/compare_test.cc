// SPDX-License-Identifier: MIT
#include "bench/compare.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace ipn_bench {
namespace {

using std::chrono::milliseconds;

constexpr Nanoseconds kWall = std::chrono::seconds(1);
constexpr Nanoseconds kCalm = milliseconds(100);
constexpr Nanoseconds kBusy = milliseconds(300);

/// Never run: the Sampler of the test says what it did.
class NamedSystem : public System {
 public:
  explicit NamedSystem(std::string name) : name_(std::move(name)) {}
  const std::string& name() const override { return name_; }
  const std::vector<pid_t>& processes() const override { return processes_; }
  Result<Outcome> run(Nanoseconds) override { return Outcome{}; }

 private:
  std::string name_;
  std::vector<pid_t> processes_;
};

/// Plays back samples, warm-up included, and notes who was asked for how long.
struct Script {
  std::vector<Sample> samples;
  std::vector<std::pair<std::string, Nanoseconds>> asked{};

  Sampler sampler() {
    return [this](System& system, Nanoseconds duration) -> Result<Sample> {
      asked.emplace_back(system.name(), duration);
      if (asked.size() > samples.size()) return Failure{"the script is over"};
      return samples[asked.size() - 1];
    };
  }
};

Sample sample(std::uint64_t messages, Nanoseconds foreign = kCalm) {
  Sample made;
  made.messages = messages;
  made.deliveries = messages;
  made.wall = kWall;
  made.cpu = milliseconds(500);
  made.foreign = foreign;
  return made;
}

Sample timed(std::uint64_t p50_ns) {
  Sample made = sample(100);
  made.p50_ns = p50_ns;
  return made;
}

class Compare : public testing::Test {
 protected:
  Result<Comparison> run(unsigned pairs) {
    const Method method{pairs, milliseconds(20), milliseconds(5)};
    return compare(ours, other, measure, method, script.sampler(), [](const std::string&) {});
  }

  Measure measure = Measure::kRate;
  NamedSystem ours{"ours"};
  NamedSystem other{"other"};
  Script script{};
};

TEST_F(Compare, RunsBothInTurnAfterAWarmUp) {
  script.samples.assign(6, sample(10));
  const auto done = run(2);
  ASSERT_TRUE(done) << done.error().text;
  const std::vector<std::pair<std::string, Nanoseconds>> expected{
      {"ours", milliseconds(5)},   {"other", milliseconds(5)}, {"ours", milliseconds(20)},
      {"other", milliseconds(20)}, {"ours", milliseconds(20)}, {"other", milliseconds(20)}};
  EXPECT_EQ(script.asked, expected);
  EXPECT_EQ(done->pairs.size(), 2u);
  EXPECT_EQ(done->disturbed, 0u);
}

TEST_F(Compare, TakesTheMedianOfThePairsRatios) {
  script.samples = {sample(1),   sample(1),    // warm-up
                    sample(90),  sample(100),  // 0.9
                    sample(40),  sample(50),   // 0.8
                    sample(240), sample(200)};
  const auto done = run(3);
  ASSERT_TRUE(done) << done.error().text;
  const Spread ratio = ratio_of(*done, measure);
  EXPECT_DOUBLE_EQ(ratio.median, 0.9);
  EXPECT_DOUBLE_EQ(ratio.low, 0.8);
  EXPECT_DOUBLE_EQ(ratio.high, 1.2);
}

TEST_F(Compare, TakesDeliveriesAndNotMessagesForARate) {
  script.samples.assign(4, sample(100));
  script.samples[2].deliveries = 1600;
  script.samples[3].deliveries = 800;
  const auto done = run(1);
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_DOUBLE_EQ(ratio_of(*done, measure).median, 2);
}

TEST_F(Compare, TakesTheRatioOfMedianTimesWhereTimesAreMeasured) {
  measure = Measure::kTime;
  script.samples = {timed(1), timed(1), timed(500), timed(1000)};
  const auto done = run(1);
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_DOUBLE_EQ(ratio_of(*done, measure).median, 0.5);
}

TEST_F(Compare, MeasuresASystemThatIsAloneAndRepeatsWhatWasDisturbed) {
  script.samples = {sample(1), sample(2, kBusy), sample(3), sample(4)};
  const Method method{2, milliseconds(20), milliseconds(5)};
  const auto alone = measure_alone(ours, method, script.sampler(), [](const std::string&) {});
  ASSERT_TRUE(alone) << alone.error().text;
  ASSERT_EQ(alone->samples.size(), 2u);
  EXPECT_EQ(alone->samples[0].messages, 3u);
  EXPECT_EQ(alone->samples[1].messages, 4u);
  EXPECT_EQ(alone->disturbed, 0u);
}

TEST_F(Compare, RunsADisturbedPairAgain) {
  script.samples = {sample(1), sample(1), sample(1), sample(2, kBusy), sample(3), sample(4)};
  const auto done = run(1);
  ASSERT_TRUE(done) << done.error().text;
  ASSERT_EQ(done->pairs.size(), 1u);
  EXPECT_EQ(done->pairs[0].ours.messages, 3u);
  EXPECT_EQ(done->pairs[0].other.messages, 4u);
  EXPECT_EQ(done->disturbed, 0u);
}

TEST_F(Compare, KeepsTheCalmestAndSaysSoIfAllAreDisturbed) {
  script.samples = {sample(1),
                    sample(1),  // warm-up
                    sample(1, kBusy * 3),
                    sample(1),
                    sample(2, kBusy),
                    sample(2),
                    sample(3, kBusy * 2),
                    sample(3),
                    sample(4, kBusy * 4),
                    sample(4)};
  const auto done = run(1);
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(script.asked.size(), script.samples.size());
  EXPECT_EQ(done->pairs[0].ours.messages, 2u);
  EXPECT_EQ(done->disturbed, 1u);
}

TEST_F(Compare, EndsWithTheFailureOfARun) {
  script.samples.assign(3, sample(1));
  const auto done = run(1);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().text, "the script is over");
}

TEST(Sample, IsDisturbedByMoreThanAFifthOfACpu) {
  EXPECT_FALSE(is_disturbed(sample(1, milliseconds(200))));
  EXPECT_TRUE(is_disturbed(sample(1, milliseconds(201))));
}

TEST(Sample, JudgesDisturbanceByTheTimeThatWasObserved) {
  Sample made = sample(1, milliseconds(300));
  made.observed = kWall * 2;
  EXPECT_FALSE(is_disturbed(made));
}

TEST(Sample, GivesRatesAndCostPerDelivery) {
  Sample made = sample(1000);
  made.deliveries = 4000;
  EXPECT_DOUBLE_EQ(messages_per_s(made), 1000);
  EXPECT_DOUBLE_EQ(deliveries_per_s(made), 4000);
  EXPECT_DOUBLE_EQ(cpu_ns_per_delivery(made), 125'000);
}

/// Burns the CPU time of this process.
class Spinner : public NamedSystem {
 public:
  explicit Spinner(std::vector<pid_t> processes)
      : NamedSystem("spinner"), processes_(std::move(processes)) {}
  const std::vector<pid_t>& processes() const override { return processes_; }
  Result<Outcome> run(Nanoseconds duration) override {
    const auto begin = *cpu_time({getpid()});
    while (*cpu_time({getpid()}) - begin < duration) {
    }
    return Outcome{5, 10};
  }

 private:
  std::vector<pid_t> processes_;
};

TEST(TakeSample, CountsTheCpuTimeOfThisProcess) {
  Spinner system({getppid()});
  const auto taken = take_sample(system, milliseconds(10));
  ASSERT_TRUE(taken) << taken.error().text;
  EXPECT_EQ(taken->messages, 5u);
  EXPECT_EQ(taken->deliveries, 10u);
  ASSERT_TRUE(taken->cpu.has_value());
  EXPECT_GE(*taken->cpu, milliseconds(10));
  EXPECT_GE(taken->wall, milliseconds(10));
}

TEST(TakeSample, FailsIfNothingWasDelivered) {
  NamedSystem system("idle");
  EXPECT_FALSE(take_sample(system, milliseconds(1)));
}

TEST(TakeSample, KnowsNoCpuTimeWithoutTheDaemonsProcesses) {
  Spinner system({});
  const auto taken = take_sample(system, milliseconds(1));
  ASSERT_TRUE(taken) << taken.error().text;
  EXPECT_FALSE(taken->cpu.has_value());
  EXPECT_FALSE(is_disturbed(*taken));
}

}  // namespace
}  // namespace ipn_bench
