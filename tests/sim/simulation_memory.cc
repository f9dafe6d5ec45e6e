// SPDX-License-Identifier: MIT
// What clients do that read memory.
#include <utility>

#include "tests/sim/simulation.h"
#include "tests/sim/sums.h"

namespace ipn::sim {

void Simulation::set_overflow(Client& client) {
  static const std::vector<std::uint32_t> all = {IPN_OVERFLOW_NETWORK, IPN_OVERFLOW_DROP_NEWEST,
                                                 IPN_OVERFLOW_LATEST};
  const std::uint32_t overflow = one_of(all);
  note("overflow " + std::to_string(client.model->id) + " " + std::to_string(overflow));
  same(code_of(switch_->set_overflow(*client.node, overflow, client.node->credentials().uid)),
       model_.set_overflow(*client.model, overflow), "overflow");
}

void Simulation::attach(Client& client) {
  auto program = std::make_unique<Program>(client.model->id, chance(10));
  Program& made = *program;
  const bool is_deaf = made.is_deaf();
  const auto place = switch_->attach(*client.node, made, kAreaBytes);
  note("attach " + std::to_string(client.model->id) + " errno " + std::to_string(code_of(place)));
  same(code_of(place), model_.attach(*client.model), "attach");
  if (!place) return;
  ++coverage_.attached;
  made.begin(*place);
  client.program = std::move(program);
  client.model->is_deaf = is_deaf;
  client.ahead = 0;
  client.lost = 0;
}

void Simulation::detach(Client& client) {
  if (client.program == nullptr) return;
  note("detach " + std::to_string(client.model->id));
  switch_->detach(*client.node);
  model_.detach(*client.model);
  compare_memory(client);
  client.program.reset();
  client.ahead = 0;
}

void Simulation::read_memory(Client& client) {
  dispatch();  // the daemon has its turn, too
  note("look into memory " + std::to_string(client.model->id));
  for (std::uint64_t left = 1 + below(10); left > 0 && difference_.empty(); --left) {
    if (client.program->is_stopped() || !read_one(client)) break;
    // What may be overwritten counts as read only when it is given back.
    if (client.program->overwrites() || chance(50)) give_back(client);
  }
  if (!difference_.empty() || client.program->is_stopped()) return;
  give_back(client);
  const bool has_all = client.model->unread.empty();
  if (has_all && client.program->withholds_a_ring()) {
    differ("node " + std::to_string(client.model->id) + " is in nobody's way and did not ring");
  }
  if (has_all && chance(50)) client.program->sleep();
}

bool Simulation::read_one(Client& client) {
  ModelNode& model = *client.model;
  const std::uint64_t lost_before = client.program->lost();
  const auto read = client.program->read();
  const std::uint64_t lost = model_.notice(model, read ? read->record.seq : UINT64_MAX);
  same(client.program->lost() - lost_before, lost, "overwritten, as the reader says");
  client.lost += lost;
  same(read.has_value(), model.unread.size() > client.ahead, "a message in memory");
  if (!read || !difference_.empty()) return false;
  note("read in memory " + std::to_string(model.id));
  const Unread& unread = model.unread[client.ahead++];
  same(read->bytes.size(), unread.message.len, "length in memory");
  same(checksum_of(read->bytes), unread.message.checksum, "checksum in memory");
  same(read->record.seq, unread.number, "number in memory");
  same(read->record.node, unread.source, "source in memory");
  same(read->lost_before, client.lost + unread.lost, "lost before a message in memory");
  coverage_.lost += std::exchange(client.lost, 0);
  return true;
}

void Simulation::give_back(Client& client) {
  client.program->publish();
  for (; client.ahead > 0; --client.ahead) {
    model_.consume_in_memory(*client.model);
    ++coverage_.received;
    ++coverage_.read_in_memory;
  }
}

/// Who was overtaken in an epoch, and looks only when it is over, does not know
/// exactly which of the messages were its own.
void Simulation::let_readers_look(const ModelNetwork* network) {
  for (auto& [id, client] : clients_) {
    const ModelNode& model = *client->model;
    while (model.network == network && !model.unnoticed.empty() && difference_.empty()) {
      read_memory(*client);
    }
  }
}

/// Its claim goes back, or ahead of the log. It is cut off, and nobody else notices.
void Simulation::lie(Client& client) {
  if (!client.model->reads_memory || client.program->is_stopped()) return;
  if (!client.program->overwrites()) give_back(client);
  switch_->view(*client.node);  // believes what is true
  dispatch();                   // and what comes of that is done before the lie is found out
  if (!client.model->reads_memory || !difference_.empty()) return;
  note("lie " + std::to_string(client.model->id));
  if (chance(50)) {
    client.program->claim_too_much(below(1'000'000));
  } else if (!client.program->claim_too_little()) {
    return;
  }
  client.lies = true;
  switch_->view(*client.node);
  dispatch();
  if (client.lies) differ("node " + std::to_string(client.model->id) + " lies unpunished");
}

void Simulation::freeze_if_gone(Client& client) {
  if (client.program != nullptr && !client.model->receives) client.program->freeze();
}

void Simulation::compare_memory(const Client& client) {
  if (client.program != nullptr && !client.program->is_as_frozen()) {
    differ("node " + std::to_string(client.model->id) + " sees what was sent after its end");
  }
}

}  // namespace ipn::sim
