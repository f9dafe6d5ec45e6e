/* SPDX-License-Identifier: MIT */
#ifndef IPN_TESTS_ABI_LAYOUT_H
#define IPN_TESTS_ABI_LAYOUT_H

/*
 * The public ABI in figures: size of each structure, place of each field, value of each constant
 * and of each ioctl number. Written down a second time on purpose: what a compiler makes of the
 * headers is compared with it as C11, as C++20 and for 32 bit, so that no edit of a header changes
 * the ABI unnoticed. If a change is wanted, change the figure here in the same commit.
 *
 * A structure has no hole (-Wpadded) and its size is pinned, so a field that is missing here still
 * shows in the places of those behind it.
 */

#include <stddef.h>

#include <ipn/ioctl.h>
#include <ipn/ring.h>

#ifdef __cplusplus
#define ABI_FACT(expression, text) static_assert(expression, text)
#else
#define ABI_FACT(expression, text) _Static_assert(expression, text)
#endif

#define SIZE(type, bytes) \
  ABI_FACT(sizeof(struct type) == (bytes), "sizeof(struct " #type ") is not " #bytes)
#define AT(type, field, place) \
  ABI_FACT(offsetof(struct type, field) == (place), #type "." #field " is not at " #place)
#define VALUE(name, value) ABI_FACT(name == (value), #name " is not " #value)
#define NUMBER(name, value) VALUE(name, value)

/* clang-format off */

/* ioctl.h: structures. */

SIZE(ipn_version, 208);
AT(ipn_version, size, 0); AT(ipn_version, flags, 4); AT(ipn_version, abi, 8);
AT(ipn_version, layout_min, 12); AT(ipn_version, layout_max, 16); AT(ipn_version, msg_max, 20);
AT(ipn_version, features, 24); AT(ipn_version, boot_id, 40); AT(ipn_version, socket, 56);
AT(ipn_version, text, 164);

SIZE(ipn_join, 216);
AT(ipn_join, size, 0); AT(ipn_join, flags, 4); AT(ipn_join, policy, 8); AT(ipn_join, roles, 12);
AT(ipn_join, port, 16); AT(ipn_join, layout, 20); AT(ipn_join, net, 24); AT(ipn_join, node, 32);
AT(ipn_join, next_seq, 40); AT(ipn_join, ns, 48); AT(ipn_join, name, 56); AT(ipn_join, rsv, 184);

SIZE(ipn_opt, 32);
AT(ipn_opt, size, 0); AT(ipn_opt, flags, 4); AT(ipn_opt, node, 8); AT(ipn_opt, level, 16);
AT(ipn_opt, name, 20); AT(ipn_opt, len, 24); AT(ipn_opt, rsv, 28);

SIZE(ipn_shutdown, 24);
AT(ipn_shutdown, size, 0); AT(ipn_shutdown, flags, 4); AT(ipn_shutdown, node, 8);
AT(ipn_shutdown, how, 16); AT(ipn_shutdown, rsv, 20);

SIZE(ipn_msg, 64);
AT(ipn_msg, hdr, 0); AT(ipn_msg, flags, 2); AT(ipn_msg, len, 4); AT(ipn_msg, seq, 8);
AT(ipn_msg, peer, 16); AT(ipn_msg, port, 24); AT(ipn_msg, count, 28); AT(ipn_msg, pid, 32);
AT(ipn_msg, uid, 36); AT(ipn_msg, gid, 40); AT(ipn_msg, hops, 44); AT(ipn_msg, nfds, 45);
AT(ipn_msg, meta, 46); AT(ipn_msg, time, 48); AT(ipn_msg, cookie, 56);

SIZE(ipn_wait_peers, 16);
AT(ipn_wait_peers, size, 0); AT(ipn_wait_peers, flags, 4); AT(ipn_wait_peers, readers, 8);
AT(ipn_wait_peers, timeout_ms, 12);

SIZE(ipn_explain, 256);
AT(ipn_explain, size, 0); AT(ipn_explain, flags, 4); AT(ipn_explain, error, 8);
AT(ipn_explain, nr, 12); AT(ipn_explain, text, 16);

SIZE(ipn_netcfg, 272);
AT(ipn_netcfg, size, 0); AT(ipn_netcfg, flags, 4); AT(ipn_netcfg, net, 8);
AT(ipn_netcfg, generation, 16); AT(ipn_netcfg, policy, 24); AT(ipn_netcfg, nflags, 28);
AT(ipn_netcfg, mtu, 32); AT(ipn_netcfg, ports, 36); AT(ipn_netcfg, pool, 40);
AT(ipn_netcfg, mode, 44); AT(ipn_netcfg, uid, 48); AT(ipn_netcfg, gid, 52);
AT(ipn_netcfg, overflow, 56); AT(ipn_netcfg, deadline_ms, 60); AT(ipn_netcfg, retain_msgs, 64);
AT(ipn_netcfg, retain_ms, 68); AT(ipn_netcfg, log_bytes, 72); AT(ipn_netcfg, name, 80);
AT(ipn_netcfg, rsv, 208);

SIZE(ipn_ref, 160);
AT(ipn_ref, size, 0); AT(ipn_ref, flags, 4); AT(ipn_ref, net, 8); AT(ipn_ref, node, 16);
AT(ipn_ref, port, 24); AT(ipn_ref, rsv, 28); AT(ipn_ref, name, 32);

SIZE(ipn_list, 48);
AT(ipn_list, size, 0); AT(ipn_list, flags, 4); AT(ipn_list, cursor, 8);
AT(ipn_list, generation, 16); AT(ipn_list, net, 24); AT(ipn_list, kind, 32); AT(ipn_list, n, 36);
AT(ipn_list, rec, 40); AT(ipn_list, rsv, 44);

SIZE(ipn_net_record, 384);
AT(ipn_net_record, id, 0); AT(ipn_net_record, generation, 8); AT(ipn_net_record, policy, 16);
AT(ipn_net_record, nflags, 20); AT(ipn_net_record, mtu, 24); AT(ipn_net_record, pool, 28);
AT(ipn_net_record, nodes, 32); AT(ipn_net_record, nodes_max, 36); AT(ipn_net_record, readers, 40);
AT(ipn_net_record, writers, 44); AT(ipn_net_record, mode, 48); AT(ipn_net_record, uid, 52);
AT(ipn_net_record, gid, 56); AT(ipn_net_record, blocked_senders, 60);
AT(ipn_net_record, deadline_ms, 64); AT(ipn_net_record, overflow, 68);
AT(ipn_net_record, log_bytes, 72); AT(ipn_net_record, msgs, 80); AT(ipn_net_record, bytes, 88);
AT(ipn_net_record, drops, 96); AT(ipn_net_record, name, 224); AT(ipn_net_record, policy_name, 352);

SIZE(ipn_node_record, 392);
AT(ipn_node_record, net, 0); AT(ipn_node_record, id, 8); AT(ipn_node_record, port, 16);
AT(ipn_node_record, door, 20); AT(ipn_node_record, roles, 24); AT(ipn_node_record, flags, 28);
AT(ipn_node_record, pid, 32); AT(ipn_node_record, uid, 36); AT(ipn_node_record, gid, 40);
AT(ipn_node_record, truncated, 44); AT(ipn_node_record, msgs_in, 48); AT(ipn_node_record, bytes_in, 56);
AT(ipn_node_record, msgs_out, 64); AT(ipn_node_record, bytes_out, 72);
AT(ipn_node_record, queue, 80); AT(ipn_node_record, queue_max, 88); AT(ipn_node_record, drops, 96);
AT(ipn_node_record, connected_ns, 224); AT(ipn_node_record, blocking_ns, 232);
AT(ipn_node_record, program, 240); AT(ipn_node_record, descr, 256);

SIZE(ipn_stats, 464);
AT(ipn_stats, size, 0); AT(ipn_stats, flags, 4); AT(ipn_stats, uptime_ns, 8);
AT(ipn_stats, networks, 16); AT(ipn_stats, nodes, 20); AT(ipn_stats, open_files, 24);
AT(ipn_stats, open_files_max, 28); AT(ipn_stats, msgs, 32); AT(ipn_stats, bytes, 40);
AT(ipn_stats, requests, 48); AT(ipn_stats, bad_requests, 56); AT(ipn_stats, drops, 64);
AT(ipn_stats, evictions, 192); AT(ipn_stats, uid, 200); AT(ipn_stats, exempt, 204);
AT(ipn_stats, uid_networks, 208); AT(ipn_stats, uid_networks_max, 212);
AT(ipn_stats, uid_nodes, 216); AT(ipn_stats, uid_nodes_max, 220); AT(ipn_stats, uid_log_bytes, 224);
AT(ipn_stats, uid_log_bytes_max, 232); AT(ipn_stats, uid_parked_bytes, 240);
AT(ipn_stats, node_parked_bytes_max, 248); AT(ipn_stats, loop, 256); AT(ipn_stats, device, 320);
AT(ipn_stats, attached, 416); AT(ipn_stats, attached_hot, 420); AT(ipn_stats, doorbells, 424);
AT(ipn_stats, wakes, 432); AT(ipn_stats, rounds, 440); AT(ipn_stats, loop_calls, 448);
AT(ipn_stats, cut_off, 456);

SIZE(ipn_completion, 32);
AT(ipn_completion, cookie, 0); AT(ipn_completion, seq, 8); AT(ipn_completion, error, 16);
AT(ipn_completion, receivers, 20); AT(ipn_completion, rsv, 24);

SIZE(ipn_attach, 96);
AT(ipn_attach, size, 0); AT(ipn_attach, flags, 4); AT(ipn_attach, ticket, 8);
AT(ipn_attach, boot_id, 24); AT(ipn_attach, layout_min, 40); AT(ipn_attach, layout_max, 44);
AT(ipn_attach, next_seq, 48); AT(ipn_attach, epoch, 56); AT(ipn_attach, rsv, 64);

SIZE(ipn_nodecfg, 64);
AT(ipn_nodecfg, size, 0); AT(ipn_nodecfg, flags, 4); AT(ipn_nodecfg, node, 8);
AT(ipn_nodecfg, overflow, 16); AT(ipn_nodecfg, deadline_ms, 20); AT(ipn_nodecfg, evict_ms, 24);
AT(ipn_nodecfg, rsv0, 28); AT(ipn_nodecfg, rsv, 32);

/* ioctl.h: constants. */

VALUE(IPN_ABI, 1); VALUE(IPN_IOC_MAGIC, 89); VALUE(IPN_MSG_MAX, 65792);
VALUE(IPN_IOC_SIZE_MAX, 16383); VALUE(IPN_NAME_MAX, 107); VALUE(IPN_PORT_ANY, -1);
VALUE(IPN_ANY, 0); VALUE(IPN_BROADCAST, 1); VALUE(IPN_HUB, 1); VALUE(IPN_VDESWITCH, 2);
VALUE(IPN_VDESWITCH_L3, 3); VALUE(IPN_BUS, 4); VALUE(IPN_POLICY_MAX, 63);
VALUE(IPN_NET_LOSSLESS, 0x1u); VALUE(IPN_NET_EXCL, 0x2u); VALUE(IPN_NET_PERSISTENT, 0x100u);
VALUE(IPN_NET_CONFIDENTIAL, 0x200u); VALUE(IPN_NET_TERMINATED, 0x1000u); VALUE(IPN_ROLE_RECV, 0x1u);
VALUE(IPN_ROLE_SEND, 0x2u); VALUE(IPN_ROLE_MANAGE, 0x4u); VALUE(IPN_OPT_HEADER, 0x40u);
VALUE(IPN_OPT_MTU, 0x80u); VALUE(IPN_OPT_NUMNODES, 0x81u); VALUE(IPN_OPT_MSGPOOLSIZE, 0x82u);
VALUE(IPN_OPT_FLAGS, 0x83u); VALUE(IPN_OPT_MODE, 0x84u); VALUE(IPN_OVERFLOW_NETWORK, 0u);
VALUE(IPN_OVERFLOW_DROP_NEWEST, 1u); VALUE(IPN_OVERFLOW_DROP_OLDEST, 2u);
VALUE(IPN_OVERFLOW_LATEST, 3u); VALUE(IPN_OVERFLOW_BLOCK, 4u); VALUE(IPN_DROP_SLOTS, 16);
VALUE(IPN_FEATURE_DEVICE, 0x1u); VALUE(IPN_FEATURE_FAST, 0x2u); VALUE(IPN_OPT_RING, 0x41u);
VALUE(IPN_NODECFG_OVERFLOW, 0x1u); VALUE(IPN_OPT_VAL_MAX, 8192); VALUE(IPN_SHUT_RD, 0u);
VALUE(IPN_SHUT_WR, 1u); VALUE(IPN_SHUT_RDWR, 2u); VALUE(IPN_MSG_HDR, 64); VALUE(IPN_MSG_OOB, 0x1u);
VALUE(IPN_MSG_DONTWAIT, 0x2u); VALUE(IPN_MSG_PEEK, 0x4u); VALUE(IPN_MSG_TRUNC, 0x8u);
VALUE(IPN_MSG_REPORT, 0x10u); VALUE(IPN_MSG_ATOMIC, 0x20u); VALUE(IPN_MSG_SKIP_FULL, 0x40u);
VALUE(IPN_MSG_LOOPBACK, 0x80u); VALUE(IPN_MSG_SYNC, 0x100u); VALUE(IPN_MSG_CRED_ATTACH, 0x200u);
VALUE(IPN_MSG_FDS_LOST, 0x400u); VALUE(IPN_MSG_EOR, 0x800u); VALUE(IPN_IOC_MSG_DATA_MAX, 16319);
VALUE(IPN_NETCFG_POLICY, 0x1u); VALUE(IPN_NETCFG_NFLAGS, 0x2u); VALUE(IPN_NETCFG_MTU, 0x4u);
VALUE(IPN_NETCFG_PORTS, 0x8u); VALUE(IPN_NETCFG_POOL, 0x10u); VALUE(IPN_NETCFG_MODE, 0x20u);
VALUE(IPN_NETCFG_UID, 0x40u); VALUE(IPN_NETCFG_GID, 0x80u); VALUE(IPN_NETCFG_DEADLINE, 0x100u);
VALUE(IPN_NETCFG_LOG_BYTES, 0x200u); VALUE(IPN_LIST_NETWORKS, 1u); VALUE(IPN_LIST_NODES, 2u);
VALUE(IPN_LIST_DATA_MAX, 16328); VALUE(IPN_DOOR_DEVICE, 1u); VALUE(IPN_DOOR_FILE, 2u);
VALUE(IPN_DOOR_FAST, 3u); VALUE(IPN_NODE_CONNECTED, 0x1u); VALUE(IPN_NODE_BLOCKS, 0x2u);
VALUE(IPN_NODE_ENDED, 0x4u); VALUE(IPN_DROP_NO_RECEIVER, 0); VALUE(IPN_DROP_LOG_FULL, 1);
VALUE(IPN_DROP_LAPPED, 2); VALUE(IPN_DROP_TOO_LONG, 3); VALUE(IPN_DROP_NOT_ALLOWED, 4);
VALUE(IPN_DROP_MALFORMED, 5); VALUE(IPN_DROP_POLICY, 6); VALUE(IPN_DROP_HOP_LIMIT, 7);
VALUE(IPN_DROP_INTERFACE_FULL, 8); VALUE(IPN_DROP_EVICTED, 9); VALUE(IPN_DROP_EXPIRED, 10);
VALUE(IPN_DROP_CLOSED, 11); VALUE(IPN_DROP_EMPTY, 12); VALUE(IPN_DROP_REASONS, 13);

/* ioctl.h: numbers, as direction << 30 | size << 16 | 'Y' << 8 | nr. */

NUMBER(IPN_IOC_VERSION, 0xc0d05900u);
NUMBER(IPN_IOC_BIND, 0xc0d85901u);
NUMBER(IPN_IOC_CONNECT, 0xc0d85902u);
NUMBER(IPN_IOC_SETOPT(4), 0x40245904u);
NUMBER(IPN_IOC_GETOPT(4), 0xc0245905u);
NUMBER(IPN_IOC_SHUTDOWN, 0x40185906u);
NUMBER(IPN_IOC_SEND(4), 0xc0445908u);
NUMBER(IPN_IOC_RECV(4), 0xc0445909u);
NUMBER(IPN_IOC_EXPLAIN, 0xc100590eu);
NUMBER(IPN_IOC_WAIT_PEERS, 0xc010590fu);
NUMBER(IPN_IOC_NET_ADD, 0xc1105937u);
NUMBER(IPN_IOC_NET_GET, 0xc1105938u);
NUMBER(IPN_IOC_NET_SET, 0xc1105939u);
NUMBER(IPN_IOC_NET_END, 0xc110593bu);
NUMBER(IPN_IOC_NODE_KICK, 0xc0a0593eu);
NUMBER(IPN_IOC_LIST(4), 0xc034593fu);
NUMBER(IPN_IOC_STATS, 0xc1d05940u); NUMBER(IPN_IOC_ATTACH, 0xc0605910u);
NUMBER(IPN_IOC_DETACH, 0xc0605911u); NUMBER(IPN_IOC_NODE_GET, 0xc040593cu);
NUMBER(IPN_IOC_NODE_SET, 0xc040593du);
NUMBER(IPN_IOC_CHECK, 0x0000597fu);

/* ring.h */

SIZE(ipn_log_record, 32);
AT(ipn_log_record, len, 0); AT(ipn_log_record, flags, 4); AT(ipn_log_record, type, 6);
AT(ipn_log_record, meta8, 7); AT(ipn_log_record, seq, 8); AT(ipn_log_record, node, 16);
AT(ipn_log_record, port, 24); AT(ipn_log_record, hops, 26); AT(ipn_log_record, nfds, 27);
AT(ipn_log_record, time_us, 28);

SIZE(ipn_log_header, 256);
AT(ipn_log_header, layout, 0); AT(ipn_log_header, capacity, 4); AT(ipn_log_header, epoch, 8);
AT(ipn_log_header, next_epoch, 16); AT(ipn_log_header, last_seq, 24); AT(ipn_log_header, rsv0, 32);
AT(ipn_log_header, head_seq, 128); AT(ipn_log_header, head_pos, 136);
AT(ipn_log_header, tail_seq, 144); AT(ipn_log_header, tail_pos, 152); AT(ipn_log_header, time, 160);
AT(ipn_log_header, rsv1, 168);

SIZE(ipn_send_record, 32);
AT(ipn_send_record, len, 0); AT(ipn_send_record, flags, 4); AT(ipn_send_record, type, 6);
AT(ipn_send_record, meta8, 7); AT(ipn_send_record, dst, 8); AT(ipn_send_record, cookie, 16);
AT(ipn_send_record, rsv, 24);

SIZE(ipn_control, 512);
AT(ipn_control, send_head, 0); AT(ipn_control, rsv0, 8); AT(ipn_control, room_at, 128);
AT(ipn_control, completion_tail, 136); AT(ipn_control, rsv1, 144); AT(ipn_control, read_seq, 256);
AT(ipn_control, own, 264); AT(ipn_control, msgs, 272); AT(ipn_control, bytes, 280);
AT(ipn_control, lost, 288); AT(ipn_control, rsv2, 296); AT(ipn_control, sleep_at, 384);
AT(ipn_control, rsv3, 392);

SIZE(ipn_status, 512);
AT(ipn_status, layout, 0); AT(ipn_status, send_bytes, 4); AT(ipn_status, completion_entries, 8);
AT(ipn_status, rsv0, 12); AT(ipn_status, node, 16); AT(ipn_status, rsv1, 24);
AT(ipn_status, ring_me, 128); AT(ipn_status, send_state, 132); AT(ipn_status, send_error, 136);
AT(ipn_status, mtu, 140); AT(ipn_status, rsv2, 144); AT(ipn_status, send_tail, 256);
AT(ipn_status, completion_head, 264); AT(ipn_status, room_word, 272); AT(ipn_status, rsv3, 276);
AT(ipn_status, rsv4, 280); AT(ipn_status, wake_at, 384); AT(ipn_status, data_word, 392);
AT(ipn_status, recv_state, 396); AT(ipn_status, moved_at, 400); AT(ipn_status, own_version, 408);
AT(ipn_status, rsv5, 412); AT(ipn_status, own_evicted_seq, 416); AT(ipn_status, own_evicted, 424);
AT(ipn_status, rsv6, 432);

SIZE(ipn_grant, 112);
AT(ipn_grant, size, 0); AT(ipn_grant, kind, 4); AT(ipn_grant, flags, 8); AT(ipn_grant, layout, 12);
AT(ipn_grant, ticket, 16); AT(ipn_grant, boot_id, 32); AT(ipn_grant, client_bytes, 48);
AT(ipn_grant, status_bytes, 56); AT(ipn_grant, log_bytes, 64); AT(ipn_grant, epoch, 72);
AT(ipn_grant, next_seq, 80); AT(ipn_grant, next_pos, 88); AT(ipn_grant, rsv, 96);

VALUE(IPN_RING_LAYOUT, 1); VALUE(IPN_PAGE, 4096); VALUE(IPN_RECORD_ALIGN, 32);
VALUE(IPN_RECORD_HDR, 32); VALUE(IPN_LOG_HEADER_BYTES, 256); VALUE(IPN_RECORD_PAD, 0);
VALUE(IPN_RECORD_DATA, 1); VALUE(IPN_RECORD_LOST, 2); VALUE(IPN_RING_OPEN, 1);
VALUE(IPN_RING_DRAIN, 2); VALUE(IPN_RING_ENDED, 3); VALUE(IPN_COMPLETION_ENTRIES, 512);
VALUE(IPN_GRANT_TICKET, 1u); VALUE(IPN_GRANT_AREAS, 2u); VALUE(IPN_GRANT_EPOCH, 3u);
VALUE(IPN_GRANT_OVERWRITES, 0x1u); VALUE(IPN_GRANT_RECEIVES, 0x2u); VALUE(IPN_GRANT_SENDS, 0x4u);

/* The largest ioctls fit into the 14 bits of size. */
ABI_FACT(_IOC_SIZE(IPN_IOC_SEND(IPN_IOC_MSG_DATA_MAX)) == IPN_IOC_SIZE_MAX, "IPN_IOC_SEND is cut");
ABI_FACT(_IOC_SIZE(IPN_IOC_LIST(IPN_LIST_DATA_MAX)) == 16376, "IPN_IOC_LIST is cut");

/* What lies behind a head in one buffer, and records in a row, stay aligned to 8. */
ABI_FACT(sizeof(struct ipn_list) % 8 == 0, "records behind ipn_list are not aligned");
ABI_FACT(sizeof(struct ipn_net_record) % 8 == 0, "a row of ipn_net_record is not aligned");
ABI_FACT(sizeof(struct ipn_node_record) % 8 == 0, "a row of ipn_node_record is not aligned");

#ifdef IPN_ABI_PLANTED_BUG
SIZE(ipn_msg, 65); /* must be found: tests/abi/CMakeLists.txt */
#endif

/* clang-format on */

#endif /* IPN_TESTS_ABI_LAYOUT_H */
