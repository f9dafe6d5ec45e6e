// SPDX-License-Identifier: MIT
#pragma once

#include <random>
#include <string>
#include <vector>

namespace ipn::hostile {

using Random = std::mt19937_64;

struct Attack {
  const char* name;
  void (*run)(Random& random);
};

std::vector<Attack> ring_attacks();
std::vector<Attack> socket_attacks();
std::vector<Attack> memory_attacks();
std::vector<Attack> process_attacks();

/// Something is not as it has to be. Ends the program.
void require(bool holds, const std::string& what);

const char* any_network(Random& random);
std::uint64_t below(Random& random, std::uint64_t limit);

}  // namespace ipn::hostile
