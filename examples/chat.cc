// SPDX-License-Identifier: MIT
//
// chat NETWORK: sends each line of standard input to the network and prints
// what the others send, until either ends. Makes the network if there is none.
// One thread sends, the main thread receives.
#include <array>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include <ipn/ipn.hpp>

namespace {

void join(ipn::Node& node, const char* network) {
  std::error_code error;
  node.connect(network, IPN_ANY, 0, error);
  if (!error) return;
  if (error != std::errc::no_such_file_or_directory) throw ipn::Error(error, node.explain());
  node.bind(network, IPN_BROADCAST);
  node.connect();
}

// Ends the receiver too, by shutting the node down.
void send_lines(ipn::Node& node) {
  std::error_code error;
  for (std::string line; !error && std::getline(std::cin, line);) node.send(line, 0, error);
  if (error) std::cerr << "chat: " << node.explain() << '\n';
  node.shutdown(IPN_SHUT_RDWR, error);
}

void print_messages(ipn::Node& node) {
  static std::array<std::byte, IPN_MSG_MAX> room;
  while (const auto length = node.receive(room)) {
    std::cout.write(reinterpret_cast<const char*>(room.data()),
                    static_cast<std::streamsize>(*length))
        << std::endl;
  }
}

// Returns at the end of the network or of the input.
void chat(const char* network) {
  auto node = std::make_shared<ipn::Node>(ipn::Node::open());
  join(*node, network);
  std::thread([node] { send_lines(*node); }).detach();
  print_messages(*node);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: chat NETWORK\n";
    return 2;
  }
  int status = 0;
  try {
    chat(argv[1]);
  } catch (const ipn::Error& error) {
    std::cerr << "chat: " << error.what() << '\n';
    status = 1;
  }
  // The sender may still hold standard input, waiting for a line.
  std::_Exit(status);
}
