// SPDX-License-Identifier: MIT
#pragma once

#include "switchcore/base/assert.h"

namespace ipn {

/// Lets an object stand in one List<T, Tag> at a time without an allocation.
/// Inherit once per list that the object can stand in. Leaves on destruction.
template <typename T, typename Tag>
class ListHook {
 public:
  ListHook() = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { unlink(); }

  bool is_linked() const { return next_ != nullptr; }
  void unlink() {
    if (!is_linked()) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
  }

 private:
  template <typename, typename>
  friend class List;
  ListHook* next_ = nullptr;
  ListHook* previous_ = nullptr;
};

/// A doubly linked list through hooks of its members; owns nothing.
template <typename T, typename Tag>
class List {
 public:
  using Hook = ListHook<T, Tag>;

  List() { end_.next_ = end_.previous_ = &end_; }
  ~List() {
    while (!empty()) end_.next_->unlink();
    end_.next_ = end_.previous_ = nullptr;
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const { return end_.next_ == &end_; }
  T& front() {
    IPN_ASSERT(!empty());
    return static_cast<T&>(*end_.next_);
  }
  void push_back(T& item) { insert_before(end_, item); }
  T& pop_front() {
    T& item = front();
    static_cast<Hook&>(item).unlink();
    return item;
  }
  /// Puts all of `other` behind what is here.
  void splice_back(List& other) {
    while (!other.empty()) push_back(other.pop_front());
  }

  /// Calls f(item) for each; f may unlink the item it is given, no other.
  template <typename F>
  void for_each(F&& f) {
    for (Hook* at = end_.next_; at != &end_;) {
      Hook* next = at->next_;
      f(static_cast<T&>(*at));
      at = next;
    }
  }

 private:
  static void insert_before(Hook& place, T& item) {
    Hook& hook = item;
    hook.unlink();
    hook.next_ = &place;
    hook.previous_ = place.previous_;
    place.previous_->next_ = &hook;
    place.previous_ = &hook;
  }
  Hook end_;
};

}  // namespace ipn
