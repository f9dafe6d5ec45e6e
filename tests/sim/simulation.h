// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "switchcore/core/send_run.h"
#include "switchcore/core/switch.h"
#include "tests/sim/model.h"
#include "tests/sim/program.h"

namespace ipn::sim {

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t steps = 3000;
  bool verbose = false;  ///< every step on stderr
};

/// A history of the switch: random calls go to it and to the model, and what the
/// two say is compared. The same seed makes the same history.
class Simulation final : public SwitchObserver {
 public:
  explicit Simulation(const Options& options);
  ~Simulation();

  /// What differs, or nothing. Ends with everything closed and all accounts empty.
  std::string run();
  /// What happened, in counts, to see that a history is worth its name.
  struct Coverage {
    std::uint64_t sent = 0, received = 0, parked = 0, completed = 0, lost = 0, evicted = 0,
                  epochs = 0, woken = 0, attached = 0, read_in_memory = 0, sent_in_runs = 0,
                  cut_off = 0;
    Coverage& operator+=(const Coverage& other);
  };
  const Coverage& coverage() const { return coverage_; }

 private:
  struct Client;
  struct Waiting;

  // Steps of a history.
  void step();
  void open();
  void close(Client& client);
  void add_network();
  void bind(Client& client);
  void connect(Client& client);
  Message next_message(const Client& client, Waiting& waiting);
  void send(Client& client);
  void send_run(Client& client);
  void compare_sent(const Client& client, const Message& message, const SendOutcome& real);
  void maybe_park(Client& client, const Message& message, std::unique_ptr<Waiting> waiting);
  void cancel();
  void read(Client& client);
  void want(Client& client);
  void shut_down(Client& client);
  void kick(Client& client);
  void end_network();
  void change_network();
  void advance();
  void dispatch();
  // Clients that read memory: simulation_memory.cc.
  void set_overflow(Client& client);
  void attach(Client& client);
  void detach(Client& client);
  void read_memory(Client& client);
  bool read_one(Client& client);
  void give_back(Client& client);
  void let_readers_look(const ModelNetwork* network);
  void lie(Client& client);
  void freeze_if_gone(Client& client);
  void compare_memory(const Client& client);
  void close_all();

  // Comparisons.
  void compare(Client& client);
  void compare_all();
  void compare_incoming(const Client& client, const Incoming& incoming);
  void compare_done(const std::vector<ModelDone>& expected);
  void compare_wakes();
  void compare_totals();
  template <typename A, typename B>
  void same(const A& real, const B& model, std::string_view what);
  void differ(const std::string& what);

  void on_networks_changed() override {}
  void on_evicted(const Network& network, const Node& node, TimeNs blocked_ns) override;
  void on_cut_off(const Network& network, const Node& node, std::string_view reason) override;

  // Chance.
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <typename T>
  const T& one_of(const std::vector<T>& all) {
    return all[below(all.size())];
  }
  Client* any_client();
  ModelNetwork* any_network();
  Credentials any_user();
  NetworkConfig any_config();
  std::string any_name();
  void note(const std::string& what);

  const Options options_;
  std::mt19937_64 random_;
  Clock clock_;
  Model model_;
  std::map<std::uint64_t, std::unique_ptr<Client>> clients_;  // outlive the switch
  std::map<int, std::unique_ptr<Waiting>> waiting_;
  std::unique_ptr<Switch> switch_;
  struct Done {
    int id;
    SendOutcome outcome;
  };
  std::vector<Done> done_;
  std::uint64_t last_message_ = 0;
  int last_waiting_ = 0;
  std::uint64_t at_step_ = 0;
  std::string difference_;
  Coverage coverage_;
};

/// An open file: what it was told and what it has asked to be told.
struct Simulation::Client final : NodeSink {
  explicit Client(Simulation& s) : simulation(s) {}
  void on_ready(Node&) override {
    wanted = 0;
    if (model != nullptr) model->polls_out = false;
    ++simulation.coverage_.woken;
  }

  Simulation& simulation;
  Node* node = nullptr;
  ModelNode* model = nullptr;
  unsigned eagerness = 0;              ///< percent of chances to read that it takes
  std::unique_ptr<Program> program{};  ///< while it is attached
  std::size_t ahead = 0;               ///< messages that it has read and not given back
  std::uint64_t lost = 0;              ///< overwritten, found out since the last message
  bool lies = false;                   ///< its claim is wrong, and nobody has looked yet
  unsigned wanted = 0;                 ///< Interest bits that were not answered yet
  std::uint32_t peers = 0;             ///< when it wanted to hear of members
};

template <typename A, typename B>
void Simulation::same(const A& real, const B& model, std::string_view what) {
  if (real == static_cast<A>(model)) return;
  differ(std::string(what) + ": the switch says " + std::to_string(real) + ", the model " +
         std::to_string(model));
}

}  // namespace ipn::sim
