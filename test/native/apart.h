// apart: a case in a process of its own, for what is chosen once in a process.
#ifndef NETRT_TEST_NATIVE_APART_H_
#define NETRT_TEST_NATIVE_APART_H_

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace netrt::test {

// Runs the body where only the provider with this name may be chosen; whether it said yes.
template <typename Body>
bool apart(const char* provider, Body body) {
  // Else both processes print what was printed before.
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    setenv("NETRT_SEAL", provider, 1);
    std::exit(body() ? 0 : 1);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

}  // namespace netrt::test

#endif  // NETRT_TEST_NATIVE_APART_H_
