// SPDX-License-Identifier: MIT
#include "tests/sim/simulation.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "switchcore/policy/broadcast.h"
#include "tests/sim/sums.h"

namespace ipn::sim {
namespace {

/// Sends to the port that the message names: one queue per receiver.
class Unicast final : public Policy {
 public:
  Verdict decide(Port, std::span<const std::byte>, const MessageMeta& meta) override {
    const auto port = static_cast<std::uint32_t>(meta.destination - 1);
    return Verdict::deliver(Destinations::one(Port{port}));
  }
};

Limits small_limits() {
  Limits limits;
  limits.networks_per_uid = 3;
  limits.nodes_per_uid = 8;
  limits.log_bytes_per_uid = 256 << 10;
  limits.parked_bytes_per_node = 5000;
  limits.open_nodes = 40;
  return limits;
}

/// Bytes that no other message has.
std::vector<std::byte> payload_of(std::uint64_t number, std::uint64_t len) {
  std::vector<std::byte> bytes(len);
  std::mt19937 random(static_cast<std::uint32_t>(number));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  if (len >= sizeof number) std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}

}  // namespace

struct Simulation::Waiting final : ParkedSend {
  void on_done(const SendOutcome& outcome) override {
    client->simulation.done_.push_back({id, outcome});
  }
  int id = 0;
  Client* client = nullptr;
  std::vector<std::byte> bytes;
};

Simulation::Coverage& Simulation::Coverage::operator+=(const Coverage& other) {
  sent += other.sent;
  received += other.received;
  parked += other.parked;
  completed += other.completed;
  lost += other.lost;
  evicted += other.evicted;
  epochs += other.epochs;
  woken += other.woken;
  attached += other.attached;
  read_in_memory += other.read_in_memory;
  sent_in_runs += other.sent_in_runs;
  cut_off += other.cut_off;
  return *this;
}

Simulation::Simulation(const Options& options)
    : options_(options),
      random_(options.seed),
      clock_{1'000 * kSecond, 1'700'000'000 * kSecond},
      model_(small_limits()) {
  const auto make_storage = [](std::uint64_t bytes) -> Result<std::unique_ptr<LogStorage>> {
    return std::unique_ptr<LogStorage>(std::make_unique<Memory>(bytes));
  };
  switch_ = std::make_unique<Switch>(small_limits(), make_storage, *this);
  switch_->add_policy(broadcast_policy());
  switch_->add_policy({kUnicast, "unicast", [] { return std::make_unique<Unicast>(); }});
  switch_->begin_round(clock_);
  model_.now = clock_.monotonic;
}

Simulation::~Simulation() { switch_.reset(); }

std::string Simulation::run() {
  for (at_step_ = 0; at_step_ < options_.steps && difference_.empty(); ++at_step_) step();
  if (difference_.empty()) close_all();
  return difference_;
}

void Simulation::note(const std::string& what) {
  if (options_.verbose) {
    std::fprintf(stderr, "%6llu %s\n", static_cast<unsigned long long>(at_step_), what.c_str());
  }
}

void Simulation::differ(const std::string& what) {
  if (difference_.empty()) {
    difference_ = "step " + std::to_string(at_step_) + ": " + what;
  }
}

// Chance --------------------------------------------------------------------------------

Simulation::Client* Simulation::any_client() {
  if (clients_.empty()) return nullptr;
  auto at = clients_.begin();
  std::advance(at, below(clients_.size()));
  return at->second.get();
}

ModelNetwork* Simulation::any_network() {
  if (model_.networks.empty()) return nullptr;
  auto at = model_.networks.begin();
  std::advance(at, below(model_.networks.size()));
  return at->second.ending ? nullptr : &at->second;
}

Credentials Simulation::any_user() {
  Credentials who;
  who.uid = Uid{static_cast<std::uint32_t>(below(4))};
  who.gid = Gid{who.uid.value % 2};
  who.umask = 0;
  return who;
}

std::string Simulation::any_name() { return "n" + std::to_string(below(4)); }

NetworkConfig Simulation::any_config() {
  static const std::vector<std::uint32_t> mtus = {1, 40, 100, 700, 3000};
  static const std::vector<std::uint32_t> modes = {0777, 0777, 0777, 0777, 0740, 0722, 0704};
  NetworkConfig config;
  config.name = any_name();
  config.policy = chance(25) ? kUnicast : IPN_BROADCAST;
  config.flags = chance(60) ? IPN_NET_LOSSLESS : 0;
  config.flags |= chance(40) ? IPN_NET_CONFIDENTIAL : 0;
  config.mtu = one_of(mtus);
  config.pool = static_cast<std::uint32_t>(1 + below(chance(70) ? 8 : 60));
  config.ports = static_cast<std::uint32_t>(chance(20) ? 1 + below(4) : 32);
  config.mode = one_of(modes);
  return config;
}

// Steps ---------------------------------------------------------------------------------

void Simulation::step() {
  Client* client = any_client();
  const std::uint64_t dice = below(1000);
  const bool is_over = client != nullptr && client->node->state() == Node::State::kEnded;
  const bool is_idle = client != nullptr && client->node->state() == Node::State::kFree;
  if (client == nullptr || dice < 40) {
    open();
  } else if (is_over && chance(50)) {
    close(*client);
  } else if (is_idle && chance(70)) {
    chance(80) ? connect(*client) : bind(*client);
  } else if (dice < 48) {
    close(*client);
  } else if (dice < 75) {
    add_network();
  } else if (dice < 110) {
    bind(*client);
  } else if (dice < 200) {
    connect(*client);
  } else if (dice < 560) {
    send(*client);
  } else if (dice < 580) {
    cancel();
  } else if (dice < 840) {
    read(*client);
  } else if (dice < 920) {
    want(*client);
  } else if (dice < 924) {
    shut_down(*client);
  } else if (dice < 930) {
    kick(*client);
  } else if (dice < 932) {
    set_overflow(*client);
  } else if (dice < 934) {
    end_network();
  } else if (dice < 960) {
    change_network();
  } else {
    advance();
  }
  client = any_client();
  if (client != nullptr && chance(8)) chance(85) ? attach(*client) : detach(*client);
  client = any_client();
  if (client != nullptr && client->program != nullptr && chance(1) && chance(30)) lie(*client);
  if (chance(75)) dispatch();
  if (chance(5)) compare_all();
}

void Simulation::open() {
  auto client = std::make_unique<Client>(*this);
  auto node = switch_->open_node(Door::kDevice, *client);
  const int expected = model_.nodes.size() >= small_limits().open_nodes ? ENFILE : 0;
  same(code_of(node), expected, "open");
  if (!node) return;
  static const std::vector<unsigned> eagerness = {0, 5, 40, 90, 100, 100, 100, 100};
  client->node = *node;
  client->eagerness = one_of(eagerness);
  client->model = model_.open(client->node->id().value);
  note("open " + std::to_string(client->node->id().value));
  clients_.emplace(client->model->id, std::move(client));
}

void Simulation::close(Client& client) {
  const std::uint64_t id = client.model->id;
  note("close " + std::to_string(id));
  detach(client);
  switch_->close_node(*client.node);
  model_.close(*client.model);
  std::erase_if(waiting_, [&](const auto& entry) { return entry.second->client == &client; });
  clients_.erase(id);
}

void Simulation::add_network() {
  NetworkConfig config = any_config();
  const Credentials who = any_user();
  config.owner = who.uid;
  config.group = who.gid;
  config.flags |= chance(50) ? IPN_NET_PERSISTENT : 0;
  config.log_bytes = chance(30) ? 1 + below(20'000) : 0;
  config.deadline_ms = static_cast<std::uint32_t>(chance(80) ? 1 + below(2000) : 0);
  note("add " + config.name + " flags " + std::to_string(config.flags));
  same(code_of(switch_->add_network(config, who, false)), model_.add_network(config), "add");
}

void Simulation::bind(Client& client) {
  NetworkConfig config = any_config();
  const Credentials who = any_user();
  config.owner = who.uid;
  config.group = who.gid;
  if (client.model->state == Node::State::kFree) {
    for (const auto& [name, value] :
         {std::pair<std::uint32_t, std::uint32_t>{IPN_OPT_MTU, config.mtu},
          {IPN_OPT_MSGPOOLSIZE, config.pool},
          {IPN_OPT_NUMNODES, config.ports},
          {IPN_OPT_FLAGS, config.flags},
          {IPN_OPT_MODE, config.mode}}) {
      same(code_of(switch_->set_option(*client.node, name, value)), 0, "option");
    }
  }
  note("bind " + std::to_string(client.model->id) + " " + config.name);
  const int real = code_of(switch_->bind(*client.node, {config.name, config.policy, 0, {}}, who));
  same(real, model_.bind(*client.model, config, who), "bind");
}

void Simulation::connect(Client& client) {
  const Credentials who = any_user();
  const bool bound = client.model->state == Node::State::kBound;
  const std::string name = bound && chance(70) ? "" : any_name();
  static const std::vector<std::uint32_t> all_roles = {0, 0, 0, IPN_ROLE_RECV, IPN_ROLE_SEND};
  const std::uint32_t roles = one_of(all_roles);
  std::optional<std::uint32_t> port;
  if (chance(20)) port = static_cast<std::uint32_t>(below(10));
  JoinRequest request{name, IPN_ANY, roles, {}};
  if (port) request.port = Port{*port};
  const auto answer = switch_->connect(*client.node, request, who);
  note("connect " + std::to_string(client.model->id) + " " + name + " errno " +
       std::to_string(code_of(answer)));
  same(code_of(answer), model_.connect(*client.model, name, who, roles, port), "connect");
  if (!answer || !difference_.empty()) return;
  same(answer->port->value, client.model->port, "port");
  same(client.node->receives(), client.model->receives, "role to receive");
  same(client.node->sends(), client.model->sends, "role to send");
}

Message Simulation::next_message(const Client& client, Waiting& waiting) {
  std::uint64_t mtu = 100;
  if (client.model->network != nullptr) mtu = client.model->network->config.mtu;
  const std::uint64_t len = chance(10)   ? 0
                            : chance(10) ? mtu
                            : chance(5)  ? mtu + 1 + below(100)
                                         : below(mtu + 1);
  waiting.bytes = payload_of(++last_message_, len);
  const Message message{
      checksum_of(waiting.bytes), static_cast<std::uint32_t>(len),
      client.model->network != nullptr && client.model->network->config.policy == kUnicast
          ? 1 + below(6)
          : 0};
  const std::span<const std::byte> bytes = waiting.bytes;
  waiting.message = {{bytes, {}}, message.destination, 0};
  return message;
}

void Simulation::send(Client& client) {
  if (client.program != nullptr && chance(50)) return send_run(client);
  auto waiting = std::make_unique<Waiting>();
  const Message message = next_message(client, *waiting);
  const std::span<const std::byte> bytes = waiting->bytes;
  const std::size_t first = below(bytes.size() + 1);
  waiting->message.payload = {bytes.first(first), bytes.subspan(first)};
  const SendOutcome real = switch_->send(*client.node, waiting->message);
  compare_sent(client, message, real);
  if (difference_.empty() && real.kind == SendOutcome::Kind::kWouldBlock) {
    maybe_park(client, message, std::move(waiting));
  }
}

/// As the daemon takes them out of a send ring.
void Simulation::send_run(Client& client) {
  SendRun run(*switch_, *client.node);
  for (std::uint64_t left = 1 + below(8); left > 0 && difference_.empty(); --left) {
    auto waiting = std::make_unique<Waiting>();
    const Message message = next_message(client, *waiting);
    if (message.destination == 0 && run.send_plain(waiting->bytes)) {
      const ModelOutcome model = model_.send(*client.model, message);
      note("send in a run " + std::to_string(client.model->id) + ' ' + std::to_string(message.len));
      same(SendOutcome::Kind::kSent == model.kind, true, "a send in a run");
      ++coverage_.sent;
      ++coverage_.sent_in_runs;
      continue;
    }
    SendOutcome real;
    run.send(waiting->message, real);
    compare_sent(client, message, real);
    if (!difference_.empty() || real.kind != SendOutcome::Kind::kWouldBlock) continue;
    return maybe_park(client, message, std::move(waiting));
  }
}

void Simulation::compare_sent(const Client& client, const Message& message,
                              const SendOutcome& real) {
  const ModelOutcome model = model_.send(*client.model, message);
  note("send " + std::to_string(client.model->id) + " " + std::to_string(message.len) +
       " bytes: " + std::to_string(static_cast<int>(real.kind)));
  same(static_cast<int>(real.kind), static_cast<int>(model.kind), "kind of a send");
  same(real.error, model.error, "errno of a send");
  same(real.receivers, model.receivers, "receivers of a send");
  same(real.seq, model.seq, "number of a send");
  coverage_.sent += real.kind == SendOutcome::Kind::kSent ? 1 : 0;
}

void Simulation::maybe_park(Client& client, const Message& message,
                            std::unique_ptr<Waiting> waiting) {
  if (chance(40)) return;
  waiting->id = ++last_waiting_;
  waiting->client = &client;
  const int parked = switch_->park(*waiting);
  same(parked, model_.park(*client.model, waiting->id, message), "park");
  if (parked != 0) return;
  ++coverage_.parked;
  note("park " + std::to_string(waiting->id));
  waiting_.emplace(waiting->id, std::move(waiting));
}

void Simulation::cancel() {
  if (waiting_.empty()) return;
  auto at = waiting_.begin();
  std::advance(at, below(waiting_.size()));
  note("cancel " + std::to_string(at->first));
  switch_->cancel(*at->second);
  model_.cancel(at->first);
  waiting_.erase(at);
}

void Simulation::read(Client& client) {
  if (!chance(client.eagerness)) return;
  if (client.program != nullptr && !client.program->is_stopped() && chance(90)) {
    return read_memory(client);
  }
  // Who reads by a call goes on by calls.
  model_.detach_receive(*client.model);
  client.ahead = 0;
  for (std::uint64_t left = 1 + below(10); left > 0 && difference_.empty(); --left) {
    const RecvOutcome real = switch_->peek(*client.node);
    const RecvOutcome::Kind expected = model_.look(*client.model);
    same(static_cast<int>(real.kind), static_cast<int>(expected), "kind of a read");
    if (!difference_.empty() || real.kind != RecvOutcome::Kind::kMessage) return;
    compare_incoming(client, real.message);
    note("read " + std::to_string(client.model->id));
    if (real.message.payload.empty() && chance(50)) {
      switch_->discard(*client.node, DropReason::kEmpty);
      model_.consume(*client.model, DropReason::kEmpty);
    } else {
      switch_->consume(*client.node);
      model_.consume(*client.model, std::nullopt);
      ++coverage_.received;
    }
  }
}

void Simulation::want(Client& client) {
  const Readiness ready = model_.readiness(*client.model);
  ModelNetwork* network = client.model->network;
  if (network == nullptr) return;
  unsigned interests = 0;
  if (!ready.readable) interests |= kWantReadable;
  if (!ready.writable) interests |= kWantWritable;
  if (chance(30)) interests |= kWantMembership;
  switch_->want(*client.node, interests);
  client.wanted |= interests;
  client.peers = model_.peers_of(*client.model);
  const bool held_up = (interests & kWantWritable) != 0 && client.model->sends;
  client.model->polls_out = client.model->polls_out || (interests & kWantWritable) != 0;
  if (held_up) model_.note_held_up(*network);
  note("want " + std::to_string(client.model->id) + " " + std::to_string(interests));
}

void Simulation::shut_down(Client& client) {
  const bool receive = chance(50);
  const bool send = !receive || chance(30);
  note("shutdown " + std::to_string(client.model->id));
  same(code_of(switch_->shutdown(*client.node, receive, send)),
       model_.shutdown(*client.model, receive, send), "shutdown");
}

void Simulation::kick(Client& client) {
  Credentials root;
  let_readers_look(client.model->network);
  note("kick " + std::to_string(client.model->id));
  const int real = code_of(switch_->kick(client.node->id(), root));
  same(real, model_.kick(*client.model), "kick");
  if (real == 0) freeze_if_gone(client);
}

void Simulation::end_network() {
  ModelNetwork* network = any_network();
  if (network == nullptr) return;
  note("end " + network->config.name);
  same(code_of(switch_->end_network(NetworkId{network->id}, Credentials{})), 0, "end");
  model_.end(*network);
}

void Simulation::change_network() {
  ModelNetwork* network = any_network();
  if (network == nullptr) return;
  const NetworkConfig config = any_config();
  NetworkChange change;
  if (chance(50)) change.pool = config.pool;
  if (chance(30)) change.mtu = config.mtu;
  if (chance(20)) change.log_bytes = below(2) * (1 + below(20'000));
  if (chance(20)) change.mode = config.mode;
  if (chance(10)) change.owner = any_user().uid;
  if (chance(10)) change.ports = config.ports;
  if (chance(10)) change.deadline_ms = static_cast<std::uint32_t>(below(2) * (1 + below(2000)));
  if (chance(10)) change.flags = network->config.flags ^ IPN_NET_PERSISTENT;
  let_readers_look(network);
  note("change " + network->config.name);
  const int before = network->epochs;
  const NetworkId id{network->id};
  const int real = code_of(switch_->change_network(id, change, 0, Credentials{}));
  std::vector<Client*> readers;
  for (auto& [node, client] : clients_) {
    if (client->model->receives && client->model->network == network)
      readers.push_back(client.get());
  }
  same(real, model_.change(*network, change), "change");
  for (Client* client : readers) freeze_if_gone(*client);
  if (!model_.networks.contains(id.value)) return;
  if (network->epochs != before) ++coverage_.epochs;
  let_readers_look(network);
}

void Simulation::advance() {
  dispatch();
  const auto by = static_cast<TimeNs>(below(chance(80) ? 50 : 3000)) * kMillisecond;
  clock_.monotonic += by;
  clock_.realtime += by;
  model_.now = clock_.monotonic;
  note("advance " + std::to_string(by / kMillisecond) + " ms");
  const auto next = switch_->next_timer();
  switch_->begin_round(clock_);
  switch_->run_timers();
  if (next && *next > clock_.monotonic && switch_->next_timer() != next) {
    differ("a timer ran before its time");
  }
  if (const std::string missed = model_.find_missed_deadline(); !missed.empty()) differ(missed);
  dispatch();
}

void Simulation::on_cut_off(const Network&, const Node& node, std::string_view reason) {
  const auto found = clients_.find(node.id().value);
  if (found == clients_.end() || !found->second->lies) {
    return differ("a node was cut off: " + std::string(reason));
  }
  note("cut off " + std::to_string(node.id().value));
  ++coverage_.cut_off;
  found->second->lies = false;
  model_.cut_off(*found->second->model);
}

void Simulation::on_evicted(const Network&, const Node& node, TimeNs blocked_ns) {
  const auto found = clients_.find(node.id().value);
  if (found == clients_.end()) return differ("a node was disconnected that is not there");
  ModelNode& model = *found->second->model;
  note("evicted " + std::to_string(model.id));
  const std::string why_not = model_.why_not_overdue(model, blocked_ns);
  if (!why_not.empty()) {
    return differ("node " + std::to_string(model.id) + " was disconnected, but " + why_not);
  }
  ++coverage_.evicted;
  model_.evict(model);
}

void Simulation::dispatch() {
  switch_->look_for_room();
  switch_->dispatch();
  if (chance(30) && switch_->arm_gates()) switch_->dispatch();
  compare_done(model_.dispatch());
  compare_wakes();
}

void Simulation::close_all() {
  while (!clients_.empty() && difference_.empty()) {
    Client& client = *any_client();
    if (chance(30)) read(client);
    close(client);
    dispatch();
    if (chance(10)) compare_all();
  }
  while (difference_.empty()) {
    ModelNetwork* network = any_network();
    if (network == nullptr) break;
    same(code_of(switch_->end_network(NetworkId{network->id}, Credentials{})), 0, "end");
    model_.end(*network);
  }
  compare_totals();
}

// Comparisons ---------------------------------------------------------------------------

void Simulation::compare_incoming(const Client& client, const Incoming& incoming) {
  const ModelNode& node = *client.model;
  const Unread& unread = node.unread.front();
  same(incoming.payload.size(), unread.message.len, "length");
  same(checksum_of(incoming.payload), unread.message.checksum, "checksum");
  same(incoming.source.value, unread.source, "source");
  same(incoming.seq, unread.told(), "number");
  same(incoming.lost, node.lost + unread.lost, "lost before a message");
  coverage_.lost += incoming.lost;
}

/// Messages that waited come to their end in the order in which they stood; those
/// that wait for different receivers have no order among each other.
void Simulation::compare_done(const std::vector<ModelDone>& expected) {
  same(done_.size(), expected.size(), "messages that waited and came to an end");
  std::map<std::uint64_t, std::vector<int>> real_order, model_order;
  for (const ModelDone& model : expected) {
    if (!difference_.empty()) break;
    const auto real = std::find_if(done_.begin(), done_.end(),
                                   [&](const Done& done) { return done.id == model.id; });
    if (real == done_.end()) {
      differ("message " + std::to_string(model.id) + " still waits");
      break;
    }
    same(static_cast<int>(real->outcome.kind), static_cast<int>(model.outcome.kind), "outcome");
    same(real->outcome.error, model.outcome.error, "errno of a message that waited");
    same(real->outcome.receivers, model.outcome.receivers, "receivers of one that waited");
    same(real->outcome.seq, model.outcome.seq, "number of one that waited");
    model_order[model.network].push_back(model.id);
  }
  for (const Done& done : done_) {
    const auto model = std::find_if(expected.begin(), expected.end(),
                                    [&](const ModelDone& m) { return m.id == done.id; });
    if (model != expected.end()) real_order[model->network].push_back(done.id);
    waiting_.erase(done.id);
    ++coverage_.completed;
  }
  done_.clear();
  for (const auto& [network, order] : model_order) {
    const auto found = model_.networks.find(network);
    const bool one_queue =
        found != model_.networks.end() && found->second.config.policy != kUnicast;
    if (one_queue && real_order[network] != order) differ("messages overtook each other");
  }
}

/// Whoever wanted something that is true now has been told.
void Simulation::compare_wakes() {
  for (auto& [id, client] : clients_) {
    if (!difference_.empty()) return;
    const bool sleeps = client->model->reads_memory && client->program->sleeps();
    if (sleeps && client->model->unread.size() > client->ahead) {
      differ("node " + std::to_string(id) + " sleeps, and there is a message");
    }
    if (client->wanted == 0) continue;
    const Readiness ready = model_.readiness(*client->model);
    const std::string who = "node " + std::to_string(id);
    if ((client->wanted & kWantReadable) != 0 && ready.readable) {
      differ(who + " was not told that it can read");
    }
    if ((client->wanted & kWantWritable) != 0 && ready.writable) {
      differ(who + " was not told that it can write");
    }
    if ((client->wanted & kWantMembership) != 0 &&
        client->peers != model_.peers_of(*client->model)) {
      differ(who + " was not told of members");
    }
    const bool held_up = (client->wanted & kWantWritable) != 0 && client->model->sends;
    if (held_up && client->model->network != nullptr) {
      model_.note_held_up(*client->model->network);
    }
  }
}

void Simulation::compare(Client& client) {
  const ModelNode& model = *client.model;
  const Node& node = *client.node;
  same(static_cast<int>(node.state()), static_cast<int>(model.state), "state");
  same(node.is_bound(), model.bound, "bound");
  same(node.receives(), model.receives, "receives");
  same(node.sends(), model.sends, "sends");
  same(switch_->peers_of(node), model_.peers_of(model), "peers");
  const Readiness real = switch_->readiness(*client.node);
  const Readiness expected = model_.readiness(model);
  same(real.readable, expected.readable, "readable");
  same(real.writable, expected.writable, "writable");
  same(real.hangup, expected.hangup, "hangup");
  // Ready means that the call does not wait.
  compare_memory(client);
  const bool waits =
      !node.reads_memory() && switch_->peek(*client.node).kind == RecvOutcome::Kind::kWouldBlock;
  if (real.readable && waits) differ("readable, but a read waits");
  const std::uint64_t queue = model.receives ? model.queue() : 0;
  same(switch_->view(*client.node).queue, queue, "queue");
  const NodeCounters& counters = node.counters();
  same(counters.msgs_in, model.msgs_in, "msgs_in");
  same(counters.bytes_in, model.bytes_in, "bytes_in");
  same(counters.msgs_out, model.msgs_out, "msgs_out");
  same(counters.bytes_out, model.bytes_out, "bytes_out");
  same(node.is_attached(), model.attached, "attached");
  same(node.reads_memory(), model.reads_memory, "reads memory");
  for (std::size_t i = 0; i < model.drops.size(); ++i) {
    same(counters.drops.all()[i], model.drops[i], "drops " + std::to_string(i) + " of a node");
  }
}

void Simulation::compare_all() {
  for (auto& [id, client] : clients_) {
    if (difference_.empty()) compare(*client);
    if (!difference_.empty()) return differ("node " + std::to_string(id));
  }
  std::size_t networks = 0;
  switch_->for_each_network(NetworkId{}, [&](Network& network) {
    ++networks;
    const auto found = model_.networks.find(network.id().value);
    if (found == model_.networks.end()) {
      differ(network.config().name + " is still there");
      return false;
    }
    const ModelNetwork& model = found->second;
    same(network.is_ending(), model.ending, "ending");
    same(network.msgs(), model.msgs, "msgs of a network");
    same(network.bytes(), model.bytes, "bytes of a network");
    for (std::size_t i = 0; i < model.drops.size(); ++i) {
      same(network.drops().all()[i], model.drops[i], "drops " + std::to_string(i));
    }
    return difference_.empty();
  });
  same(networks, model_.networks.size(), "networks");
  auto accounts = model_.accounts();
  for (std::uint32_t uid = 0; uid < 4; ++uid) {
    const Account real = switch_->account_of(Uid{uid});
    same(real.networks, accounts[uid].networks, "networks of an account");
    same(real.nodes, accounts[uid].nodes, "nodes of an account");
    same(real.log_bytes, accounts[uid].log_bytes, "log bytes of an account");
    same(real.parked_bytes, accounts[uid].parked_bytes, "parked bytes of an account");
  }
}

/// With everything closed: nothing is charged to anybody, and every message was
/// delivered to each of its receivers or counted under a name.
void Simulation::compare_totals() {
  if (!difference_.empty()) return;
  const SwitchTotals totals = switch_->totals();
  same(totals.networks, 0, "networks at the end");
  same(totals.open_nodes, 0, "nodes at the end");
  same(totals.msgs, model_.gone_msgs, "msgs of all");
  same(totals.bytes, model_.gone_bytes, "bytes of all");
  same(totals.evictions, model_.evictions, "evictions");
  std::uint64_t lost = 0;
  for (const DropReason reason : {DropReason::kLogFull, DropReason::kLapped, DropReason::kEvicted,
                                  DropReason::kClosed, DropReason::kEmpty}) {
    lost += totals.drops[reason];
  }
  same(coverage_.received + lost, model_.gone_addressed, "delivered and counted messages");
  for (std::uint32_t uid = 0; uid < 4; ++uid) {
    if (!switch_->account_of(Uid{uid}).is_empty()) {
      differ("user " + std::to_string(uid) + " is still charged for something");
    }
  }
}

}  // namespace ipn::sim
