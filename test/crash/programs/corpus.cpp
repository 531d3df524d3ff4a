// Crashes of C++; see corpus.c.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define FN __attribute__((noinline, noclone))
#define SINK(x) asm volatile("" : : "r"(x) : "memory")
static void *volatile nothing;
static volatile int sink;

namespace shop {
struct Item { virtual ~Item() = default; virtual int price() const = 0; int padding[4]; };
struct Book : Item { int price() const override; };
FN int Book::price() const { int got = *(volatile int *)nothing; SINK(got); return got; }

class Cart {
 public:
  FN int total(int rate) { int sum = 0; for (auto &item : items) { sum += item->price(); SINK(sum); } return sum * rate; }
  FN int boundless(int at) { int got = static_cast<int>(numbers.at(static_cast<size_t>(at))); SINK(got); sink = got; return got; }
  std::vector<std::unique_ptr<Item>> items;
  std::vector<int> numbers;
};

template <typename T> struct Box {
  FN T open(const T &by) { T got = *(volatile T *)nothing + by; SINK(&got); return got; }
  FN T unwrap(const T &by) { T got = open(by); SINK(&got); sink = 1; return got; }
};

namespace {
FN int hidden(int depth) { int got = *(volatile int *)nothing; SINK(got); return got + depth; }
}  // namespace

FN int visible(int depth) { int got = hidden(depth); SINK(got); sink = got; return got; }
FN int operator_call(const std::function<int(int)> &by, int depth) { int got = by(depth); SINK(got); sink = got; return got; }

FN int virtual_call(int depth) { Cart cart; cart.items.push_back(std::make_unique<Book>()); int got = cart.total(depth); SINK(got); sink = got; return got; }
FN int template_call(int depth) { Box<long> box; long got = box.unwrap(depth); SINK(got); sink = static_cast<int>(got); return sink; }
FN int throws(int depth) { if (!nothing) throw std::runtime_error("cart"); return depth; }
FN int uncaught(int depth) { int got = throws(depth); SINK(got); sink = got; return got; }
FN int noexcept_call(int depth) noexcept { int got = throws(depth); SINK(got); sink = got; return got; }
FN int unexpected(int depth) { int got = noexcept_call(depth); SINK(got); sink = got; return got; }
FN int out_of_range(int depth) { Cart cart; int got = cart.boundless(depth + 5); SINK(got); sink = got; return got; }

struct Base { Base() { SINK(this); } virtual ~Base() { later(); } virtual int pure() = 0; FN void later() { int got = pure(); SINK(got); sink = got; } };
struct Derived : Base { int pure() override { return 1; } };
FN int pure_call(int depth) { { Derived derived; SINK(&derived); } sink = depth; return depth; }
FN int terminates(int depth) { if (!nothing) std::terminate(); return depth; }
FN int terminate_call(int depth) { int got = terminates(depth); SINK(got); sink = got; return got; }
}  // namespace shop

FN static int function_call(int depth) {
  std::function<int(int)> by = [depth](int more) -> int { int got = shop::visible(depth + more); SINK(got); sink = got; return got; };
  int got = shop::operator_call(by, depth);
  SINK(got);
  sink = got;
  return got;
}
FN static int thread_call(int depth) {
  std::thread thread([depth] { int got = shop::uncaught(depth); SINK(got); sink = got; });
  thread.join();
  sink = depth;
  return depth;
}
FN static int map_call(int depth) {
  std::map<std::string, std::function<int(int)>> all;
  all["one"] = shop::visible;
  int got = all["one"](depth);
  SINK(got);
  sink = got;
  return got;
}

int main(int count, char **words) {
  static const std::map<std::string, int (*)(int)> cases = {
      {"virtual", shop::virtual_call}, {"template", shop::template_call}, {"uncaught", shop::uncaught}, {"noexcept", shop::unexpected},
      {"range", shop::out_of_range}, {"pure", shop::pure_call}, {"terminate", shop::terminate_call}, {"function", function_call},
      {"thread", thread_call}, {"map", map_call}};
  if (count < 2) return 2;
  int got = cases.at(words[1])(count);
  std::printf("%d\n", got);
  return 3;
}
