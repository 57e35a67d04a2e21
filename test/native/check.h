// check: the whole test framework of the C++ suites: registration, three checks, nothing else.
//
// One executable holds every test/native/*.cc. A file writes
//
//   TEST(ringWrapsAround) {
//     CHECK(ringPush(ring, bytes, 4));
//     CHECK_EQUAL(ring.count, 1u);
//     NEED(ring.first != nullptr);  // leaves the test when it fails
//   }
//
// It never throws (the core is built without exceptions) and never aborts: a failed check is
// printed and counted, so that one run shows all of them. Checks may be made from any thread.
#pragma once

#include <cstdint>
#include <initializer_list>  // for the lists of cases that tests loop over
#include <type_traits>

namespace netrt::test {

using Body = void (*)();

// One registered test. Objects are static, one per TEST, chained in the order they are constructed.
struct Case {
  const char* name;
  const char* file;
  Body body;
  Case* next;
  Case(const char* caseName, const char* caseFile, Body caseBody);
};

// Record one failed check of the running test.
void fail(const char* file, int line, const char* expression);
void failEqual(const char* file, int line, const char* expression, int64_t left, int64_t right);

// Integers, enums and bools in one printable form.
template <typename Value>
constexpr int64_t printable(Value value) {
  static_assert(std::is_integral_v<Value> || std::is_enum_v<Value>,
                "CHECK_EQUAL compares integers; use CHECK for the rest");
  return static_cast<int64_t>(value);
}

}  // namespace netrt::test

#define TEST(name)                                              \
  static void name();                                           \
  static ::netrt::test::Case name##Case(#name, __FILE__, name); \
  static void name()

#define CHECK(expression)                                                    \
  do {                                                                       \
    if (!(expression)) ::netrt::test::fail(__FILE__, __LINE__, #expression); \
  } while (false)

#define CHECK_EQUAL(left, right)                                                                \
  do {                                                                                          \
    const int64_t checkLeft = ::netrt::test::printable(left);                                   \
    const int64_t checkRight = ::netrt::test::printable(right);                                 \
    if (checkLeft != checkRight) {                                                              \
      ::netrt::test::failEqual(__FILE__, __LINE__, #left " == " #right, checkLeft, checkRight); \
    }                                                                                           \
  } while (false)

#define NEED(expression)                                    \
  do {                                                      \
    if (!(expression)) {                                    \
      ::netrt::test::fail(__FILE__, __LINE__, #expression); \
      return;                                               \
    }                                                       \
  } while (false)
