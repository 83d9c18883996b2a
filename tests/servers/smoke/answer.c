/* Answers every connection to port 8080 with `it answers`, and logs each. It listens only after two
   seconds, as a service that connects to its database first. With an argument it copies its input
   and exits with 3. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] =
    "HTTP/1.0 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\nit answers\n";

static void end(int signal) {
  (void)signal;
  _exit(0);
}

static int copy(void) {
  char bytes[4096];
  ssize_t count;
  while ((count = read(0, bytes, sizeof bytes)) > 0) write(1, bytes, count);
  return 3;
}

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1) return copy();
  int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};
  signal(SIGTERM, end);
  sleep(2);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16)) {
    perror("port 8080");
    return 1;
  }
  puts("it listens");
  fflush(stdout);
  for (;;) {
    char request[4096];
    int connection = accept(listener, NULL, NULL);
    if (connection < 0) continue;
    if (read(connection, request, sizeof request) > 0) {
      write(connection, answer, strlen(answer));
      puts("it answered");
      fflush(stdout);
    }
    close(connection);
  }
}
