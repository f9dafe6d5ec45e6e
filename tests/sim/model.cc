// SPDX-License-Identifier: MIT
#include "tests/sim/model.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ipn::sim {

using Kind = SendOutcome::Kind;

std::uint64_t charge_of(const NetworkConfig& config) {
  const std::uint64_t ring = ring_bytes_for(config);
  std::uint64_t entries = 1;
  while (entries < config.pool && entries < ring / 32) entries *= 2;
  return ring + 8 * entries;
}

// Room ------------------------------------------------------------------------------

std::uint64_t ModelNode::queue() const {
  return static_cast<std::uint64_t>(
      std::count_if(unread.begin(), unread.end(), [](const Unread& u) { return !u.is_past; }));
}

/// Bytes that stay unused because a record does not wrap.
std::uint64_t Room::padding(std::uint64_t need) const {
  const std::uint64_t left = ring_ - head_ % ring_;
  return need <= left ? 0 : left;
}

std::uint64_t Room::used() const {
  if (kept_.empty()) return 0;
  std::uint64_t used = 0;
  for (const Kept& kept : kept_) used += kept.epoch == epoch_ ? 0 : record(kept.len);
  const std::uint64_t begin = kept_.front().epoch == epoch_ ? kept_.front().pos : 0;
  return used + head_ - begin;
}

bool Room::fits(std::uint32_t len, bool lost) const {
  const std::uint64_t bytes = need(len, lost);
  return kept_.size() < pool_ && used() + padding(bytes) + bytes <= ring_;
}

void Room::append(std::uint64_t number, std::uint32_t len, bool lost) {
  kept_.push_back({number, head_, len, epoch_});
  head_ += padding(need(len, lost)) + need(len, lost);
}

void Room::release_below(std::uint64_t number) {
  while (!kept_.empty() && kept_.front().number < number) kept_.pop_front();
}

void Room::begin_epoch(std::uint64_t ring_bytes, std::uint32_t pool) {
  ++epoch_;
  head_ = 0;
  ring_ = ring_bytes;
  pool_ = pool;
}

namespace {

/// Senders of a lossless network wait for it.
bool is_gate(const ModelNode& node) { return !node.own || node.overflow == IPN_OVERFLOW_NETWORK; }

}  // namespace

// Accounts ----------------------------------------------------------------------------

std::map<std::uint32_t, ModelAccount> Model::accounts() const {
  std::map<std::uint32_t, ModelAccount> accounts;
  for (const auto& [id, network] : networks) {
    ++accounts[network.payer()].networks;
    if (network.is_shared()) accounts[network.payer()].log_bytes += charge_of(network.config);
  }
  for (const auto& [id, node] : nodes) {
    if (node.charged) ++accounts[*node.charged].nodes;
    if (node.attached) accounts[node.who.uid.value].log_bytes += kAreaBytes;
    const bool own_log = node.receives && node.own;
    if (own_log) accounts[node.who.uid.value].log_bytes += charge_of(node.network->config);
  }
  for (const auto& [id, send] : parked) {
    accounts[send.from->who.uid.value].parked_bytes += send.message.len + kWaitingOverhead;
  }
  return accounts;
}

bool Model::over_limit(std::uint32_t uid, std::uint64_t ModelAccount::*what, std::uint64_t more,
                       std::uint64_t limit) const {
  if (uid == 0) return false;
  return accounts()[uid].*what + more > limit;
}

void Model::drop(ModelNode& node, DropReason reason, std::uint64_t count) {
  node.drops[static_cast<std::size_t>(reason)] += count;
  if (node.network != nullptr) node.network->drops[static_cast<std::size_t>(reason)] += count;
}

// Nodes -------------------------------------------------------------------------------

ModelNode* Model::open(std::uint64_t id) {
  ModelNode& node = nodes[id];
  node.id = id;
  return &node;
}

void Model::close(ModelNode& node) {
  if (node.network != nullptr) leave(node, DropReason::kClosed);
  std::erase_if(done_, [&](const ModelDone& done) { return done.from == &node; });
  nodes.erase(node.id);
}

ModelNetwork* Model::find(const std::string& name) {
  for (auto& [id, network] : networks) {
    if (network.config.name == name && !network.ending) return &network;
  }
  return nullptr;
}

int Model::make(const NetworkConfig& config) {
  const std::uint32_t payer = config.owner.value;
  if (over_limit(payer, &ModelAccount::networks, 1, limits_.networks_per_uid)) return EDQUOT;
  ModelNetwork network;
  network.config = config;
  network.room = Room(network.ring(), config.pool);
  const std::uint64_t charge = charge_of(config);
  if (network.is_shared()) {
    if (over_limit(payer, &ModelAccount::log_bytes, charge, limits_.log_bytes_per_uid)) {
      return EDQUOT;
    }
  } else if (payer != 0 && charge > limits_.log_bytes_per_uid) {
    return EDQUOT;
  }
  network.id = ++last_network_;
  networks.emplace(network.id, std::move(network));
  return 0;
}

int Model::add_network(const NetworkConfig& config) {
  if (find(config.name) != nullptr) return EEXIST;
  return make(config);
}

int Model::bind(ModelNode& node, const NetworkConfig& wanted, const Credentials& who) {
  if (node.state == Node::State::kEnded) return ECONNRESET;
  if (node.state != Node::State::kFree) return EISCONN;
  if (over_limit(who.uid.value, &ModelAccount::nodes, 1, limits_.nodes_per_uid)) return EDQUOT;
  ModelNetwork* network = find(wanted.name);
  if (network != nullptr) {
    const NetworkConfig& config = network->config;
    if (!access_of(who, config.mode, config.owner, config.group).manage) return EACCES;
    if (wanted.policy != config.policy) return EPROTO;
  } else {
    if (const int error = make(wanted); error != 0) return error;
    network = find(wanted.name);
  }
  node.state = Node::State::kBound;
  node.bound = true;
  node.who = who;
  node.charged = who.uid.value;
  node.network = network;
  network->members.push_back(&node);
  return 0;
}

int Model::connect(ModelNode& node, const std::string& name, const Credentials& who,
                   std::uint32_t roles, std::optional<std::uint32_t> port) {
  const bool bound = node.state == Node::State::kBound;
  if (node.state == Node::State::kEnded) return ECONNRESET;
  if (node.state == Node::State::kConnected) return EISCONN;
  if (bound && node.network->ending) return ECONNRESET;
  if (bound && !name.empty() && name != node.network->config.name) return EISCONN;
  ModelNetwork* network = bound ? node.network : find(name);
  if (network == nullptr) return ENOENT;
  const NetworkConfig& config = network->config;
  const Access access = access_of(who, config.mode, config.owner, config.group);
  if (roles == 0) roles = IPN_ROLE_RECV | IPN_ROLE_SEND;
  const bool receives = access.receive && (roles & IPN_ROLE_RECV) != 0 && !node.shut_receive;
  const bool sends = access.send && (roles & IPN_ROLE_SEND) != 0 && !node.shut_send;
  if (!receives && !sends) return EACCES;
  const std::uint32_t uid = who.uid.value;
  if (!node.charged && over_limit(uid, &ModelAccount::nodes, 1, limits_.nodes_per_uid)) {
    return EDQUOT;
  }
  std::vector<bool> taken(config.ports);
  for (const ModelNode* member : network->members) {
    if (member->state == Node::State::kConnected) taken[member->port] = true;
  }
  if (port) {
    if (*port >= config.ports) return EADDRNOTAVAIL;
    if (taken[*port]) return EADDRINUSE;
  } else {
    const auto free = std::find(taken.begin(), taken.end(), false);
    if (free == taken.end()) return EADDRNOTAVAIL;
    port = static_cast<std::uint32_t>(free - taken.begin());
  }
  const bool own = !network->is_shared() || node.overflow != IPN_OVERFLOW_NETWORK;
  if (receives && own &&
      over_limit(uid, &ModelAccount::log_bytes, charge_of(config), limits_.log_bytes_per_uid)) {
    return EDQUOT;
  }
  node.state = Node::State::kConnected;
  node.who = who;
  if (!node.charged) node.charged = uid;
  node.port = *port;
  node.receives = receives;
  node.sends = sends;
  if (!bound) network->members.push_back(&node);
  node.network = network;
  node.own = own;
  node.room = Room(network->ring(), config.pool);
  node.front_since = now;
  network->front_since = now;
  return 0;
}

void Model::stop_receiving(ModelNode& node, DropReason unread) {
  if (!node.receives) return;
  ModelNetwork& network = *node.network;
  detach_receive(node);
  drop(node, unread, node.unread.size());
  node.unread.clear();
  node.receives = false;
  node.held_up_since = 0;
  network.front_since = now;
  // Who waited for it is tried again, before those who wait for others.
  network.waiting.insert(network.waiting.end(), node.waiting.begin(), node.waiting.end());
  node.waiting.clear();
  release(network);
}

void Model::stop_sending(ModelNode& node, int error) {
  if (!node.sends) return;
  node.sends = false;
  fail(*node.network, &node, error);
  forget_who_gave_up(*node.network);
}

int Model::shutdown(ModelNode& node, bool receive, bool send) {
  if (node.state == Node::State::kEnded) return ECONNRESET;
  node.shut_receive |= receive;
  node.shut_send |= send;
  if (receive) stop_receiving(node, DropReason::kClosed);
  if (send) stop_sending(node, EPIPE);
  return 0;
}

void Model::leave(ModelNode& node, DropReason unread) {
  ModelNetwork& network = *node.network;
  stop_receiving(node, unread);
  stop_sending(node, ECONNRESET);
  std::erase(network.members, &node);
  node.network = nullptr;
  node.charged.reset();
  node.bound = false;
  node.state = Node::State::kEnded;
  remove_if_unused(network);
}

/// What is sent from now on is not where the node could read it.
int Model::kick(ModelNode& node) {
  if (node.network == nullptr) return ENOENT;
  ModelNetwork& network = *node.network;
  const bool renews = network.is_shared() && network.was_mapped;
  if (renews) {
    if (const int error = renew_logs(network, network.config, false); error != 0) return error;
  }
  const std::uint64_t id = network.id;
  leave(node, DropReason::kEvicted);
  if (renews && networks.contains(id)) begin_epochs(network, false);
  return 0;
}

void Model::cut_off(ModelNode& node) { leave(node, DropReason::kEvicted); }

void Model::evict(ModelNode& node) {
  ++evictions;
  leave(node, DropReason::kEvicted);
}

// Overflow and memory -------------------------------------------------------------------

int Model::set_overflow(ModelNode& node, std::uint32_t overflow) {
  if (node.state == Node::State::kEnded) return ECONNRESET;
  if (node.state == Node::State::kConnected && node.overflow != overflow) {
    if (node.receives && !node.own) return move_to_own_log(node, overflow);
    const bool renews = node.reads_memory && overflow == IPN_OVERFLOW_LATEST;
    if (node.overflow == IPN_OVERFLOW_LATEST || overflow == IPN_OVERFLOW_LATEST) {
      detach_receive(node);
    }
    const NetworkConfig& config = node.network->config;
    if (renews) node.room.begin_epoch(ring_bytes_for(config), config.pool);
    node.held_up_since = 0;
    node.front_since = now;
    node.network->front_since = now;
  }
  node.overflow = overflow;
  return 0;
}

int Model::move_to_own_log(ModelNode& node, std::uint32_t overflow) {
  ModelNetwork& network = *node.network;
  const bool renews = node.reads_memory && network.config.is_lossless();
  if (renews) {
    if (const int error = renew_logs(network, network.config, false, 5); error != 0) return error;
  }
  const std::uint64_t charge = charge_of(network.config);
  if (over_limit(node.who.uid.value, &ModelAccount::log_bytes, charge, limits_.log_bytes_per_uid)) {
    return EDQUOT;
  }
  detach_receive(node);
  if (renews) begin_epochs(network, false);
  const std::deque<Unread> unread = std::exchange(node.unread, {});
  node.own = true;
  node.next_number = network.next_number;  // numbers ascend for the program
  node.overflow = overflow;
  node.held_up_since = 0;
  node.room = Room(network.ring(), network.config.pool);
  for (const Unread& message : unread) {
    if (append_own(node, message.message, message.source)) {
      node.unread.back().moved_number = message.number;
    }
  }
  node.front_since = now;
  network.front_since = now;
  release(network);
  return 0;
}

int Model::attach(ModelNode& node) {
  if (node.state == Node::State::kEnded) return ECONNRESET;
  if (node.state != Node::State::kConnected || node.network->ending) return ENOTCONN;
  if (node.attached) return EISCONN;
  if (over_limit(node.who.uid.value, &ModelAccount::log_bytes, kAreaBytes,
                 limits_.log_bytes_per_uid)) {
    return EDQUOT;
  }
  const Room& room = node.own ? node.room : node.network->room;
  if (!node.unread.empty() && node.unread.front().epoch != room.epoch()) return EAGAIN;
  node.attached = true;
  node.reads_memory = node.receives;
  if (node.receives && !node.own) node.network->was_mapped = true;
  return 0;
}

void Model::detach(ModelNode& node) {
  detach_receive(node);
  node.attached = false;
}

void Model::detach_receive(ModelNode& node) {
  if (!node.reads_memory) return;
  std::erase_if(node.unread, [&](const Unread& unread) {
    if (unread.is_past) node.unnoticed.push_back(unread.number);
    return unread.is_past;
  });
  node.lost += notice(node, UINT64_MAX);
  node.reads_memory = false;
}

std::uint64_t Model::notice(ModelNode& node, std::uint64_t number) {
  const std::uint64_t lost =
      std::erase_if(node.unnoticed, [number](std::uint64_t n) { return n < number; });
  drop(node, DropReason::kLapped, lost);
  return lost;
}

// Networks ----------------------------------------------------------------------------

void Model::remove_if_unused(ModelNetwork& network) {
  if (!network.members.empty()) return;
  if (network.config.is_persistent() && !network.ending) return;
  gone_msgs += network.msgs;
  gone_bytes += network.bytes;
  gone_addressed += network.addressed;
  for (std::size_t i = 0; i < gone_drops.size(); ++i) gone_drops[i] += network.drops[i];
  networks.erase(network.id);
}

void Model::end(ModelNetwork& network) {
  network.ending = true;
  fail(network, nullptr, ECONNRESET);
  remove_if_unused(network);
}

void Model::judge(ModelNetwork& network) {
  const NetworkConfig& config = network.config;
  for (ModelNode* node : network.members) {
    const Access access = access_of(node->who, config.mode, config.owner, config.group);
    if (node->receives && !access.receive) {
      stop_receiving(*node, DropReason::kClosed);
      node->shut_receive = true;
    }
    if (node->sends && !access.send) {
      stop_sending(*node, EPIPE);
      node->shut_send = true;
    }
    node->bound = node->bound && access.manage;
  }
}

int Model::change(ModelNetwork& network, const NetworkChange& change) {
  NetworkConfig wanted = network.config;
  change.apply_to(wanted);
  for (const ModelNode* member : network.members) {
    if (member->state == Node::State::kConnected && member->port >= wanted.ports) return EBUSY;
  }
  const NetworkConfig& old = network.config;
  const bool new_log =
      wanted.mtu != old.mtu || wanted.pool != old.pool || wanted.log_bytes != old.log_bytes;
  const bool judged = wanted.mode != old.mode || wanted.owner != old.owner;
  const bool renews =
      new_log || (judged && network.is_shared() &&
                  (network.was_mapped || network.next_number != network.epoch_first));
  if (renews) {
    if (const int error = renew_logs(network, wanted, new_log); error != 0) return error;
  }
  network.config = wanted;
  network.front_since = now;
  for (ModelNode* member : network.members) member->front_since = now;
  if (judged) judge(network);
  if (renews) begin_epochs(network, new_log);
  remove_if_unused(network);
  return 0;
}

int Model::renew_logs(ModelNetwork& network, const NetworkConfig& wanted, bool own_too,
                      int epochs_most) {
  if (now - network.epochs_since >= kSecond) {
    network.epochs_since = now;
    network.epochs = 0;
  }
  if (network.epochs >= epochs_most) return EBUSY;
  const std::uint64_t ring = ring_bytes_for(wanted);
  const bool lossless = network.config.is_lossless();
  const std::uint64_t before = charge_of(network.config), after = charge_of(wanted);
  const std::uint64_t more = after > before ? after - before : 0;
  const auto has_too_much = [&](const Room& room) {
    return room.used() > ring || room.count() > wanted.pool;
  };
  std::map<std::uint32_t, std::uint64_t> charges;
  if (network.is_shared()) {
    if (lossless && has_too_much(network.room)) return EBUSY;
    charges[network.payer()] = more;
  }
  bool foreign = false;
  for (const ModelNode* member : network.members) {
    if (!member->receives || !member->own) continue;
    if (has_too_much(member->room)) return EBUSY;
    if (own_too) charges[member->who.uid.value] += more;
    foreign = foreign || member->who.uid != network.config.owner;
  }
  const bool too_large =
      !network.is_shared() && wanted.owner.value != 0 && after > limits_.log_bytes_per_uid;
  if (more > 0 && too_large) return EDQUOT;
  if (more > 0 && foreign) return EBUSY;
  for (const auto& [uid, bytes] : charges) {
    const bool over = over_limit(uid, &ModelAccount::log_bytes, bytes, limits_.log_bytes_per_uid);
    if (more > 0 && over) return EDQUOT;
  }
  ++network.epochs;
  return 0;
}

/// The logs go on with the settings that are in force now.
void Model::begin_epochs(ModelNetwork& network, bool own_too) {
  network.front_since = now;  // nobody is in the way until the new log is found full
  const std::uint64_t ring = ring_bytes_for(network.config);
  const std::uint32_t pool = network.config.pool;
  const auto is_told = [](ModelNode& node) { return node.reads_memory && !node.is_deaf; };
  if (network.is_shared()) {
    const bool lossless = network.config.is_lossless();
    while (!lossless && (network.room.count() > pool || network.room.used() > ring)) {
      lose_below(network, network.room.oldest() + 1);
    }
    network.room.begin_epoch(ring, pool);
    network.was_mapped = false;
    network.epoch_first = network.next_number;
    for (ModelNode* member : network.members) {
      if (member->own) continue;
      network.was_mapped = network.was_mapped || is_told(*member);
      if (!is_told(*member)) detach_receive(*member);
    }
  }
  for (ModelNode* member : network.members) {
    if (!own_too || !member->own) continue;
    if (!is_told(*member)) detach_receive(*member);
    member->room.begin_epoch(ring, pool);
  }
}

// Sending -----------------------------------------------------------------------------

std::vector<ModelNode*> Model::others_of(const ModelNode& from) const {
  std::vector<ModelNode*> others;
  for (ModelNode* member : from.network->members) {
    if (member->receives && member != &from) others.push_back(member);
  }
  return others;
}

std::vector<ModelNode*> Model::receivers_of(const ModelNode& from, const Message& message) const {
  std::vector<ModelNode*> to = others_of(from);
  if (from.network->config.policy == kUnicast) {
    std::erase_if(to, [&](const ModelNode* node) { return node->port + 1 != message.destination; });
  }
  return to;
}

bool Model::has_room(const ModelNetwork& network, const ModelNode& receiver,
                     std::uint32_t len) const {
  return receiver.own ? receiver.room.fits(len, receiver.refused > 0) : network.room.fits(len);
}

/// One try. `own_queue` is the queue whose front the message is; `refused_by` the
/// one where it has to wait.
ModelOutcome Model::attempt(ModelNode& node, const Message& message,
                            const std::deque<int>* own_queue, std::deque<int>*& refused_by) {
  ModelNetwork& network = *node.network;
  if (message.len > network.config.mtu) {
    drop(node, DropReason::kTooLong);
    return {Kind::kRefused, EMSGSIZE, 0, 0};
  }
  const std::vector<ModelNode*> to = receivers_of(node, message);
  if (network.config.is_lossless()) {
    const bool unicast = network.config.policy == kUnicast;
    for (ModelNode* receiver : to) {
      std::deque<int>& queue = unicast ? receiver->waiting : network.waiting;
      // Nobody waits for one that loses messages instead, but all who wait have one order.
      if (unicast && !is_gate(*receiver)) continue;
      const bool others_wait = &queue != own_queue && !queue.empty();
      if (others_wait || (is_gate(*receiver) && !has_room(network, *receiver, message.len))) {
        refused_by = &queue;
        if (own_queue != nullptr) note_held_up(network);
        return {Kind::kWouldBlock, 0, 0, 0};
      }
    }
  }
  ModelOutcome outcome{Kind::kSent, 0, 0, 0};
  deliver(node, to, message, outcome);
  ++node.msgs_in;
  node.bytes_in += message.len;
  ++network.msgs;
  network.bytes += message.len;
  return outcome;
}

void Model::deliver(ModelNode& from, const std::vector<ModelNode*>& to, const Message& message,
                    ModelOutcome& outcome) {
  ModelNetwork& network = *from.network;
  network.addressed += to.size();
  if (to.empty()) return drop(from, DropReason::kNoReceiver);
  const auto reads_shared = [](const ModelNode* receiver) { return !receiver->own; };
  if (std::any_of(to.begin(), to.end(), reads_shared)) {
    while (!network.room.fits(message.len)) lose_below(network, network.room.oldest() + 1);
    network.room.append(network.next_number, message.len);
    for (ModelNode* receiver : to) {
      if (receiver->own) continue;
      receiver->unread.push_back({message, from.id, network.next_number, 0, network.room.epoch()});
      ++outcome.receivers;
    }
    outcome.seq = network.next_number++;
    release(network);
  }
  for (ModelNode* receiver : to) {
    if (receiver->own && append_own(*receiver, message, from.id)) ++outcome.receivers;
  }
}

bool Model::append_own(ModelNode& receiver, const Message& message, std::uint64_t source) {
  const std::uint64_t number = receiver.next_number;
  if (receiver.overflow == IPN_OVERFLOW_LATEST) {
    overwrite(receiver, receiver.room.epoch(), number);
    receiver.room.release_below(number);
  } else if (!receiver.room.fits(message.len, receiver.refused > 0)) {
    drop(receiver, DropReason::kLogFull);
    ++receiver.refused;
    return false;
  }
  receiver.room.append(number, message.len, receiver.refused > 0);
  receiver.unread.push_back(
      {message, source, number, std::exchange(receiver.refused, 0), receiver.room.epoch()});
  ++receiver.next_number;
  return true;
}

/// A lossless shared log keeps what somebody has not read, and all behind it.
void Model::release(ModelNetwork& network) {
  if (!network.is_shared() || !network.config.is_lossless()) return;
  std::uint64_t needed = network.next_number;
  for (const ModelNode* member : network.members) {
    if (member->own || member->unread.empty()) continue;
    needed = std::min(needed, member->unread.front().number);
  }
  network.room.release_below(needed);
}

/// A lossy shared log has overwritten everything below `number`.
void Model::lose_below(ModelNetwork& network, std::uint64_t number) {
  network.room.release_below(number);
  for (ModelNode* member : network.members) {
    if (member->own) continue;
    overwrite(*member, network.room.epoch(), number);
  }
}

/// The log of the node, which is in that epoch, gives up what lies below `number`.
void Model::overwrite(ModelNode& node, int epoch, std::uint64_t number) {
  std::deque<Unread> left;
  for (Unread& unread : node.unread) {
    // Nobody writes into the memory of an old epoch any more.
    unread.is_past = unread.number < number && node.reads_memory && unread.epoch != epoch;
    if (unread.is_past || unread.number >= number) {
      left.push_back(unread);
    } else if (node.reads_memory) {
      node.unnoticed.push_back(unread.number);
    } else {
      drop(node, DropReason::kLapped);
      node.lost += 1 + unread.lost;
    }
  }
  node.unread = std::move(left);
}

ModelOutcome Model::send(ModelNode& node, const Message& message) {
  ModelOutcome refused;
  const bool ending = node.network != nullptr && node.network->ending;
  if (node.state == Node::State::kEnded || ending) {
    refused.error = ECONNRESET;
  } else if (node.state != Node::State::kConnected) {
    refused.error = ENOTCONN;
  } else if (!node.sends) {
    drop(node, DropReason::kNotAllowed);
    refused.error = EPIPE;
  } else {
    std::deque<int>* refused_by = nullptr;
    return attempt(node, message, nullptr, refused_by);
  }
  return refused;
}

int Model::park(ModelNode& node, int id, const Message& message) {
  std::uint64_t bytes = message.len + kWaitingOverhead;
  for (const auto& [other, send] : parked) {
    bytes += send.from == &node ? send.message.len + kWaitingOverhead : 0;
  }
  if (bytes > limits_.parked_bytes_per_node) return ENOBUFS;
  parked[id] = {id, &node, message};
  ModelNetwork& network = *node.network;
  const bool unicast = network.config.policy == kUnicast;
  ModelNode& blocker = *receivers_of(node, message).front();
  std::deque<int>& queue = unicast ? blocker.waiting : network.waiting;
  TimeNs& front_since = unicast ? blocker.front_since : network.front_since;
  if (queue.empty()) front_since = now;
  queue.push_back(id);
  note_held_up(network);
  return 0;
}

void Model::finish(int id, const ModelOutcome& outcome) {
  const ModelParked& send = parked.at(id);
  done_.push_back({id, send.from, send.from->network->id, outcome});
  parked.erase(id);
}

void Model::cancel(int id) {
  for (auto& [other, network] : networks) {
    std::erase(network.waiting, id);
    for (ModelNode* member : network.members) std::erase(member->waiting, id);
  }
  const auto waits = parked.find(id);
  if (waits != parked.end()) {
    ModelNetwork& network = *waits->second.from->network;
    parked.erase(waits);
    forget_who_gave_up(network);
  }
  std::erase_if(done_, [id](const ModelDone& done) { return done.id == id; });
}

void Model::fail(ModelNetwork& network, const ModelNode* only, int error) {
  const auto fail_in = [&](std::deque<int>& queue) {
    const std::deque<int> all = std::exchange(queue, {});
    for (const int id : all) {
      if (only != nullptr && parked.at(id).from != only) {
        queue.push_back(id);
      } else {
        finish(id, {Kind::kRefused, error, 0, 0});
      }
    }
  };
  fail_in(network.waiting);
  for (ModelNode* member : network.members) fail_in(member->waiting);
  network.front_since = now;
  for (ModelNode* member : network.members) member->front_since = now;
}

void Model::retry(ModelNetwork& network, std::deque<int>& queue) {
  while (!queue.empty()) {
    const int id = queue.front();
    const ModelParked send = parked.at(id);
    std::deque<int>* refused_by = nullptr;
    const ModelOutcome outcome = attempt(*send.from, send.message, &queue, refused_by);
    if (refused_by == &queue) return;
    queue.pop_front();
    network.front_since = now;
    if (refused_by != nullptr) {
      refused_by->push_back(id);
    } else {
      finish(id, outcome);
    }
  }
}

std::vector<ModelDone> Model::dispatch() {
  for (auto& [id, network] : networks) {
    if (network.ending) continue;
    retry(network, network.waiting);
    for (ModelNode* member : network.members) {
      const std::size_t waiting = member->waiting.size();
      retry(network, member->waiting);
      if (member->waiting.size() != waiting) member->front_since = now;
    }
  }
  return std::exchange(done_, {});
}

// Receiving ---------------------------------------------------------------------------

RecvOutcome::Kind Model::look(const ModelNode& node) const {
  if (node.state == Node::State::kEnded) return RecvOutcome::Kind::kEnd;
  if (node.state != Node::State::kConnected) return RecvOutcome::Kind::kRefused;
  if (!node.unread.empty()) return RecvOutcome::Kind::kMessage;
  if (!node.receives || node.network->ending) return RecvOutcome::Kind::kEnd;
  return RecvOutcome::Kind::kWouldBlock;
}

/// The message at the front has been read.
void Model::pass(ModelNode& node) {
  const Unread unread = node.unread.front();
  node.unread.pop_front();
  if (node.own) {
    node.room.release_below(unread.number + 1);
  } else {
    release(*node.network);
  }
  node.held_up_since = 0;
  node.front_since = now;
  node.network->front_since = now;
}

void Model::consume(ModelNode& node, std::optional<DropReason> discarded) {
  const std::uint32_t len = node.unread.front().message.len;
  pass(node);
  node.lost = 0;
  if (discarded) return drop(node, *discarded);
  ++node.msgs_out;
  node.bytes_out += len;
}

void Model::consume_in_memory(ModelNode& node) {
  ++node.msgs_out;
  node.bytes_out += node.unread.front().message.len;
  pass(node);
}

Readiness Model::readiness(const ModelNode& node) const {
  Readiness ready;
  const bool ending = node.network != nullptr && node.network->ending;
  ready.hangup = node.state == Node::State::kEnded || ending;
  if (node.network == nullptr || node.state != Node::State::kConnected) {
    ready.readable = ready.hangup;
    return ready;
  }
  ready.readable = node.queue() > 0 || ending || node.shut_receive;
  if (ending) return ready;
  ready.writable = node.shut_send;
  if (!node.sends) return ready;
  const ModelNetwork& network = *node.network;
  const std::vector<ModelNode*> receivers = others_of(node);
  const bool others_wait = std::any_of(parked.begin(), parked.end(), [&](const auto& entry) {
    return entry.second.from->network == &network;
  });
  const bool room = std::all_of(receivers.begin(), receivers.end(), [&](const ModelNode* to) {
    return !others_wait && (!is_gate(*to) || has_room(network, *to, network.config.mtu));
  });
  ready.writable = ready.writable || !network.config.is_lossless() || room;
  return ready;
}

std::uint32_t Model::peers_of(const ModelNode& node) const {
  if (node.network == nullptr) return 0;
  return static_cast<std::uint32_t>(others_of(node).size());
}

// Deadlines ---------------------------------------------------------------------------

void Model::note_held_up(ModelNetwork& network) {
  for (ModelNode* member : network.members) {
    if (member->receives && member->held_up_since == 0) member->held_up_since = now;
  }
}

bool Model::somebody_waits(const ModelNetwork& network) const {
  const bool sends = std::any_of(parked.begin(), parked.end(), [&](const auto& entry) {
    return entry.second.from->network == &network;
  });
  return sends || std::any_of(network.members.begin(), network.members.end(),
                              [](const ModelNode* node) { return node->sends && node->polls_out; });
}

void Model::forget_who_gave_up(ModelNetwork& network) {
  if (somebody_waits(network)) return;
  for (ModelNode* member : network.members) member->held_up_since = 0;
}

std::string Model::why_not_overdue(const ModelNode& node, TimeNs blocked) const {
  const ModelNetwork& network = *node.network;
  const TimeNs deadline = network.config.deadline_ms * kMillisecond;
  if (!network.config.is_lossless() || deadline == 0) return "its network has no deadline";
  if (network.ending) return "its network ends";
  if (node.unread.empty()) return "it has read everything";
  if (blocked < deadline) return "the deadline is not over";
  if (node.held_up_since == 0) return "nobody has waited for it";
  if (!somebody_waits(network)) return "nobody waits any more";
  if (now - node.held_up_since < blocked)
    return "nobody has waited for it that long: " +
           std::to_string((now - node.held_up_since) / kMillisecond) + " and not " +
           std::to_string(blocked / kMillisecond) + " ms";
  const bool holds_tail = !node.own && node.unread.front().number == network.room.oldest();
  if (!node.own && !holds_tail) return "others are behind it";
  if (!is_gate(node)) return "it loses messages instead";
  return {};
}

std::string Model::find_missed_deadline() const {
  for (const auto& [id, network] : networks) {
    const TimeNs deadline = network.config.deadline_ms * kMillisecond;
    if (deadline == 0) continue;
    const auto is_missed = [&](const std::deque<int>& queue, TimeNs since) {
      if (queue.empty() || now - since < deadline) return false;
      // Who stands only in its own way harms nobody else.
      return parked.at(queue.front()).from->unread.empty();
    };
    if (is_missed(network.waiting, network.front_since)) {
      return "senders of " + network.config.name + " have waited longer than its deadline";
    }
    for (const ModelNode* member : network.members) {
      if (is_missed(member->waiting, std::max(member->front_since, network.front_since))) {
        return "node " + std::to_string(member->id) + " is in the way longer than its deadline";
      }
    }
  }
  return {};
}

}  // namespace ipn::sim
