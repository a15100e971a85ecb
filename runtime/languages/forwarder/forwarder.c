/*
 * The first process of an instance whose program is not Node: `forwarder COMMAND ...` starts the command and carries
 * bytes between the sockets of the instance and the loopback, which a program of any language can use.
 *
 *   app.sock -> 127.0.0.1:$PORT             app.sock appears when the command listens there, so that ready means ready
 *   127.0.0.1:EGRESS_PORT -> egress.sock    before the command runs; $HTTP_PROXY and the like lead there
 *   127.0.0.1:DATASTORE_PORT -> datastore-v1.sock    likewise; $DATASTORE_EMULATOR_HOST leads there
 *
 * SIGTERM reaches the command, its exit becomes ours, and when this process ends the instance does: it is the sandbox's
 * main process. One thread, one epoll; bytes pass through one buffer, and only what the other side does not take at once
 * is kept, so an idle connection costs its two descriptors and 100 bytes. forwarder.cjs does the same where there is no
 * compiler, and where instances share a network; tests/integration/forwarder.test.ts holds both.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  LISTEN_MS = 2, /* as often as a start may be prolonged by it; when the command takes long, less often */
  LISTEN_SLOW_MS = 20,
  SLOW_AFTER_MS = 2000,
  CONNECT_MS_MAX = 5000, /* the platform may be starting anew behind its sockets */
  RETRY_MS = 50,
  CONNECTIONS_MAX = 1000,
  EVENTS_MAX = 64,
  BUFFER_BYTES = 65536,
  ROUNDS_MAX = 16, /* buffers that one connection may pass on before another has its turn */
};

struct pair;

/* One side of a connection: what is read here goes to the other side. */
struct side {
  struct pair *pair;
  int fd;
  char *kept; /* read here, not yet taken by the other side */
  size_t kept_at, kept_end;
  bool has_ended;  /* nothing more is to be read */
  bool is_shut;    /* told the other side so */
  bool is_deaf;    /* closed by whom it leads to: no event of it is of use any more */
  uint32_t events; /* what epoll watches it for */
};

/* Where a connection leads: to the program, or from it to one of the platform's sockets. */
enum kind { APP, EGRESS, DATASTORE, KINDS };

/* near is who connected, far what we connect to. waiting: far is not there yet and tried again at retry_ms. */
struct pair {
  enum kind kind;
  struct side near, far;
  bool is_connecting, is_waiting, is_dead;
  bool by_ipv6; /* to the program */
  int attempts;
  long retry_ms, give_up_ms;
  struct pair *next, *previous;
};

static int epoll;
static int listeners[KINDS] = {-1, -1, -1};
static struct pair *pairs;
static int pair_count;
static bool is_full;
static struct sockaddr_un addresses[KINDS];
static int app_port;
static bool app_by_ipv6; /* what worked last: the program may listen on nothing else */
static pid_t child;
static char buffer[BUFFER_BYTES];

static void fail(const char *what) {
  fprintf(stderr, "The program was not started: %s: %s\n", what, strerror(errno));
  exit(125);
}

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

static void unix_address(struct sockaddr_un *address, const char *directory, const char *name) {
  address->sun_family = AF_UNIX;
  int length = snprintf(address->sun_path, sizeof address->sun_path, "%s%s", directory, name);
  if (length >= (int)sizeof address->sun_path) {
    errno = ENAMETOOLONG;
    fail(directory);
  }
}

/* -- epoll ------------------------------------------------------------------------------------------------------- */

/* What identifies a listener or the signals in an event, beside sides. */
static char listener_tags[KINDS], signal_tag;

static void watch_other(int fd, void *tag) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll");
}

static struct side *other(struct side *side) {
  return side == &side->pair->near ? &side->pair->far : &side->pair->near;
}

/* Reads while the other side takes it, writes while something is kept for this one. */
static void watch(struct side *side) {
  struct pair *pair = side->pair;
  if (side->fd < 0 || side->is_deaf) return;
  uint32_t events = 0;
  bool is_open = !pair->is_connecting && !pair->is_waiting;
  if (is_open && !side->has_ended && side->kept == NULL) events |= EPOLLIN;
  if ((pair->is_connecting && side == &pair->far) || (is_open && other(side)->kept != NULL)) events |= EPOLLOUT;
  if (events == side->events) return;
  struct epoll_event event = {.events = events, .data.ptr = side};
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, side->fd, &event) == 0) side->events = events;
}

static bool add(struct side *side) {
  struct epoll_event event = {.events = 0, .data.ptr = side};
  side->events = 0;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, side->fd, &event) == 0;
}

/* -- connections ------------------------------------------------------------------------------------------------- */

static void listen_again(bool again) {
  is_full = !again;
  for (int kind = 0; kind < KINDS; kind++) {
    if (listeners[kind] < 0) continue;
    struct epoll_event event = {.events = again ? EPOLLIN : 0, .data.ptr = &listener_tags[kind]};
    epoll_ctl(epoll, EPOLL_CTL_MOD, listeners[kind], &event);
  }
}

static void close_side(struct side *side) {
  if (side->fd >= 0) close(side->fd);
  free(side->kept);
  side->fd = -1;
  side->kept = NULL;
}

/* Freed by sweep(): events of the same round may still name it. */
static void end(struct pair *pair) {
  if (pair->is_dead) return;
  pair->is_dead = true;
  close_side(&pair->near);
  close_side(&pair->far);
}

static void sweep(void) {
  bool is_any_freed = false;
  for (struct pair *pair = pairs, *next; pair != NULL; pair = next) {
    next = pair->next;
    if (!pair->is_dead) continue;
    if (pair->previous != NULL) pair->previous->next = pair->next;
    else pairs = pair->next;
    if (pair->next != NULL) pair->next->previous = pair->previous;
    free(pair);
    pair_count--;
    is_any_freed = true;
  }
  if (is_full && is_any_freed) listen_again(true);
}

/* Passes on that nothing more comes from `side`, once all that came has been passed on. */
static void pass_end(struct side *side) {
  if (!side->has_ended || side->is_shut || side->kept != NULL) return;
  side->is_shut = true;
  shutdown(other(side)->fd, SHUT_WR);
  if (other(side)->is_shut) end(side->pair);
}

/* Writes what is kept. False when the connection has ended. */
static bool flush(struct side *side) {
  while (side->kept != NULL) {
    ssize_t count = send(other(side)->fd, side->kept + side->kept_at, side->kept_end - side->kept_at, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) {
      end(side->pair);
      return false;
    }
    side->kept_at += (size_t)count;
    if (side->kept_at == side->kept_end) {
      free(side->kept);
      side->kept = NULL;
    }
  }
  pass_end(side);
  return !side->pair->is_dead;
}

/* Keeps what the other side did not take. False when there is no memory for it: then the connection has ended. */
static bool keep(struct side *side, const char *bytes, size_t count) {
  side->kept = malloc(count);
  if (side->kept == NULL) {
    end(side->pair);
    return false;
  }
  memcpy(side->kept, bytes, count);
  side->kept_at = 0;
  side->kept_end = count;
  return true;
}

/* Passes on what is there to be read. False when the connection has ended. */
static bool pass(struct side *side) {
  for (int round = 0; round < ROUNDS_MAX && !side->has_ended && side->kept == NULL; round++) {
    ssize_t count = recv(side->fd, buffer, sizeof buffer, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return true;
    if (count < 0) {
      end(side->pair);
      return false;
    }
    if (count == 0) {
      side->has_ended = true;
      pass_end(side);
      return !side->pair->is_dead;
    }
    ssize_t sent = send(other(side)->fd, buffer, (size_t)count, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) sent = 0;
    if (sent < 0) {
      end(side->pair);
      return false;
    }
    if (sent < count && !keep(side, buffer + sent, (size_t)(count - sent))) return false;
    if (count < (ssize_t)sizeof buffer) return true;
  }
  return true;
}

static int new_socket(int family) {
  int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  if (fd >= 0 && family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static int connect_to(struct side *far, const void *address, socklen_t length) {
  far->fd = new_socket(((const struct sockaddr *)address)->sa_family);
  if (far->fd < 0) return errno;
  if (connect(far->fd, address, length) == 0 || errno == EINPROGRESS) {
    far->pair->is_connecting = errno == EINPROGRESS;
    return 0;
  }
  int error = errno;
  close(far->fd);
  far->fd = -1;
  return error;
}

/* By IPv4, or by IPv6 where that is refused. */
static int connect_app(struct side *far) {
  struct pair *pair = far->pair;
  struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(app_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(app_port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int error = ECONNREFUSED;
  while (error != 0 && pair->attempts < 2) {
    pair->by_ipv6 = pair->attempts++ == 0 ? app_by_ipv6 : !pair->by_ipv6;
    errno = 0;
    error = pair->by_ipv6 ? connect_to(far, &ipv6, sizeof ipv6) : connect_to(far, &ipv4, sizeof ipv4);
  }
  return error;
}

/* The connection stands: bytes may pass. */
static void opened(struct pair *pair) {
  pair->is_connecting = false;
  if (pair->kind == APP) app_by_ipv6 = pair->by_ipv6;
  if (!pass(&pair->near)) return;
  watch(&pair->near);
  watch(&pair->far);
}

static void connect_far(struct pair *pair) {
  pair->is_waiting = false;
  errno = 0;
  bool is_out = pair->kind != APP;
  int error = is_out ? connect_to(&pair->far, &addresses[pair->kind], sizeof *addresses) : connect_app(&pair->far);
  bool may_retry = is_out && (error == ECONNREFUSED || error == ENOENT || error == EAGAIN);
  if (error != 0 && may_retry && now_ms() < pair->give_up_ms) {
    pair->is_waiting = true;
    pair->retry_ms = now_ms() + RETRY_MS;
    return;
  }
  if (error != 0 || !add(&pair->far)) {
    end(pair);
    return;
  }
  if (pair->is_connecting) watch(&pair->far);
  else opened(pair);
}

static void accept_all(enum kind kind) {
  while (pair_count < CONNECTIONS_MAX) {
    int fd = accept4(listeners[kind], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0 && errno != EAGAIN) listen_again(false); /* no descriptors: until some are free again */
    if (fd < 0) return;
    int on = 1;
    if (kind != APP) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL) {
      close(fd);
      return;
    }
    pair->kind = kind;
    pair->near.pair = pair->far.pair = pair;
    pair->near.fd = fd;
    pair->far.fd = -1;
    pair->give_up_ms = now_ms() + CONNECT_MS_MAX;
    pair->next = pairs;
    if (pairs != NULL) pairs->previous = pair;
    pairs = pair;
    pair_count++;
    if (!add(&pair->near)) end(pair);
    else connect_far(pair);
  }
  listen_again(false);
}

/* One that is closed altogether takes nothing more; what it said before is still passed on. False when that is done. */
static bool finish_deaf(struct side *side) {
  if (!side->is_deaf) return true;
  char next;
  while (!side->has_ended && side->kept == NULL && recv(side->fd, &next, 1, MSG_PEEK) >= 0)
    if (!pass(side)) return false;
  if (side->kept != NULL) return true;
  end(side->pair);
  return false;
}

static void on_side(struct side *side, uint32_t events) {
  struct pair *pair = side->pair;
  if (pair->is_dead) return;
  if (pair->is_waiting) {
    /* Only its near side is there, and it is not read: it went away. */
    if (events & (EPOLLHUP | EPOLLERR)) end(pair);
    return;
  }
  if (pair->is_connecting) {
    int error = 0;
    socklen_t length = sizeof error;
    if (side == &pair->near) {
      if (events & (EPOLLHUP | EPOLLERR)) end(pair);
    } else if (getsockopt(side->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0) {
      close_side(side);
      pair->is_connecting = false;
      if (pair->kind == APP && pair->attempts < 2) connect_far(pair);
      else end(pair);
    } else if (events & EPOLLOUT) opened(pair);
    return;
  }
  if ((events & EPOLLOUT) && !flush(other(side))) return;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !pass(side)) return;
  if ((events & (EPOLLHUP | EPOLLERR)) && !side->is_deaf) {
    /* An event that is always there would keep us awake. */
    epoll_ctl(epoll, EPOLL_CTL_DEL, side->fd, NULL);
    side->is_deaf = true;
  }
  if (!finish_deaf(side) || !finish_deaf(other(side))) return;
  watch(side);
  watch(other(side));
}

static void retry_waiting(void) {
  long now = now_ms();
  for (struct pair *pair = pairs; pair != NULL; pair = pair->next)
    if (!pair->is_dead && pair->is_waiting && pair->retry_ms <= now) connect_far(pair);
}

static bool any_waiting(void) {
  for (struct pair *pair = pairs; pair != NULL; pair = pair->next)
    if (!pair->is_dead && pair->is_waiting) return true;
  return false;
}

/* -- listening --------------------------------------------------------------------------------------------------- */

static void serve(enum kind kind, const void *address, socklen_t length) {
  int on = 1;
  int fd = new_socket(((const struct sockaddr *)address)->sa_family);
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd < 0 || bind(fd, address, length) != 0 || listen(fd, 511) != 0)
    fail(kind == APP ? "the socket of the app" : kind == EGRESS ? "the port of the proxy" : "the port of the datastore");
  listeners[kind] = fd;
  watch_other(fd, &listener_tags[kind]);
}

/* A port of the loopback that leads to one of the platform's sockets. */
static void serve_out(enum kind kind, const char *port, const char *sockets, const char *name) {
  if (sockets == NULL || port == NULL) return;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  unix_address(&addresses[kind], sockets, name);
  serve(kind, &address, sizeof address);
}

/* A row of /proc/net/tcp: number, local address:port and the remote one in hex, state; 0A is LISTEN. */
static bool table_has_listener(const char *path) {
  FILE *table = fopen(path, "re");
  if (table == NULL) return false;
  char line[512];
  bool found = false;
  while (!found && fgets(line, sizeof line, table) != NULL) {
    unsigned port, state;
    found = sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &port, &state) == 2 && (int)port == app_port && state == 0x0a;
  }
  fclose(table);
  return found;
}

/* By the kernel's own list: a connection made to find out would be one that the program has to serve. Programs that make
 * app.sock themselves are left alone. Returns whether to ask again. */
static bool await_app(void) {
  struct stat there;
  if (lstat(addresses[APP].sun_path, &there) == 0) return false;
  if (!table_has_listener("/proc/net/tcp") && !table_has_listener("/proc/net/tcp6")) return true;
  /* It gets its name when connections are accepted: whoever sees it may connect. A link takes no name that is taken: the
   * program may have made its own socket in this moment. */
  struct sockaddr_un unnamed;
  unix_address(&unnamed, addresses[APP].sun_path, "~");
  serve(APP, &unnamed, sizeof unnamed);
  if (link(unnamed.sun_path, addresses[APP].sun_path) != 0) {
    if (errno != EEXIST) fail("the socket of the app");
    close(listeners[APP]);
    listeners[APP] = -1;
  }
  unlink(unnamed.sun_path);
  return false;
}

/* -- the command ------------------------------------------------------------------------------------------------- */

static bool read_line(pid_t pid, const char *format, char *text, int size) {
  char path[64];
  snprintf(path, sizeof path, format, pid, pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  bool is_read = fgets(text, size, file) != NULL;
  fclose(file);
  if (is_read) text[strcspn(text, "\n")] = 0;
  return is_read;
}

/* A shell would neither pass a signal on nor wait for its command: what it waits for is asked itself. */
static void signal_main(pid_t pid, int signal, int depth) {
  static const char *const shells[] = {"sh", "dash", "bash", "ash", "busybox"};
  char text[4096];
  bool is_shell = false;
  if (read_line(pid, "/proc/%d/comm", text, sizeof text))
    for (size_t index = 0; index < sizeof shells / sizeof *shells; index++) is_shell |= strcmp(text, shells[index]) == 0;
  int children = 0;
  if (is_shell && depth < 16 && read_line(pid, "/proc/%d/task/%d/children", text, sizeof text)) {
    for (char *rest, *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest), children++)
      signal_main(atoi(word), signal, depth + 1);
  }
  if (children == 0) kill(pid, signal);
}

static void exit_as(int status) {
  if (!WIFSIGNALED(status)) exit(WEXITSTATUS(status));
  sigset_t all;
  sigemptyset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  signal(WTERMSIG(status), SIG_DFL);
  raise(WTERMSIG(status));
  exit(128 + WTERMSIG(status));
}

static void on_signal(int fd) {
  struct signalfd_siginfo info;
  if (read(fd, &info, sizeof info) != sizeof info) return;
  if (info.ssi_signo != SIGCHLD) {
    signal_main(child, (int)info.ssi_signo, 0);
    return;
  }
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == child) exit_as(status);
}

static pid_t start(char **command, const sigset_t *mask) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  sigprocmask(SIG_SETMASK, mask, NULL);
  execvp(command[0], command);
  int error = errno;
  fprintf(stderr, "%s: %s\n", command[0], error == ENOENT ? "command not found" : strerror(error));
  _exit(error == ENOENT ? 127 : 126);
}

/* Many connections need many descriptors; the command gets the limit as it was, because it is started before. */
static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* Where instances share a network, ports have to be picked: that is left to the other implementation, beside this file. */
static void become_script(char **arguments) {
  char path[4096];
  const char *slash = strrchr(arguments[0], '/');
  snprintf(path, sizeof path, "%.*s/forwarder.cjs", slash == NULL ? 1 : (int)(slash - arguments[0]), slash == NULL ? "." : arguments[0]);
  arguments[0] = path;
  execvp(path, arguments);
  fail(path);
}

int main(int count, char **arguments) {
  if (count < 2) {
    errno = EINVAL;
    fail("forwarder COMMAND ...");
  }
  if (getenv("APPENGINE_SHARED_NETWORK") != NULL) become_script(arguments);
  const char *listen_path = getenv("APPENGINE_LISTEN"), *sockets = getenv("APPENGINE_SOCKETS");
  const char *port = getenv("PORT");

  sigset_t handled, before;
  sigemptyset(&handled);
  for (const int *signal = (const int[]){SIGTERM, SIGINT, SIGCHLD, 0}; *signal != 0; signal++) sigaddset(&handled, *signal);
  sigprocmask(SIG_BLOCK, &handled, &before);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  if (epoll < 0 || signals < 0) fail("epoll");
  watch_other(signals, &signal_tag);

  serve_out(EGRESS, getenv("APPENGINE_EGRESS_PORT"), sockets, "/egress.sock");
  serve_out(DATASTORE, getenv("APPENGINE_DATASTORE_PORT"), sockets, "/datastore-v1.sock");
  child = start(arguments + 1, &before);
  if (child < 0) fail("fork");
  raise_descriptor_limit();

  bool awaits_app = listen_path != NULL && port != NULL;
  if (awaits_app) {
    app_port = atoi(port);
    unix_address(&addresses[APP], listen_path, "");
  }
  for (const long started_ms = now_ms();;) {
    if (awaits_app) awaits_app = await_app();
    int timeout_ms = awaits_app ? (now_ms() - started_ms < SLOW_AFTER_MS ? LISTEN_MS : LISTEN_SLOW_MS) : -1;
    if (timeout_ms < 0 && any_waiting()) timeout_ms = RETRY_MS;
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(epoll, events, EVENTS_MAX, timeout_ms);
    if (ready < 0 && errno != EINTR) fail("epoll");
    for (int index = 0; index < ready; index++) {
      void *what = events[index].data.ptr;
      if (what == &signal_tag) on_signal(signals);
      else if (what == &listener_tags[APP]) accept_all(APP);
      else if (what == &listener_tags[EGRESS]) accept_all(EGRESS);
      else if (what == &listener_tags[DATASTORE]) accept_all(DATASTORE);
      else on_side(what, events[index].events);
    }
    retry_waiting();
    sweep();
  }
}
