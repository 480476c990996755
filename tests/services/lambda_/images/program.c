/* A function by itself: speaks the Runtime API over plain sockets, and tells what it sees of its image. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char in[1 << 16], out[1 << 16];

/* One request; the answer, head and body, is in `in`. */
static void talk(const char *head, const char *body) {
    int s = socket(AF_INET, SOCK_STREAM, 0), n = 0, r;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9001), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(s, (void *)&a, sizeof a)) exit(9);
    dprintf(s, "%sHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", head, strlen(body), body);
    while (n < (int)sizeof in - 1 && (r = read(s, in + n, sizeof in - 1 - n)) > 0) n += r;
    in[n] = 0;
    close(s);
}

static char *line_of(const char *path, char *text, int size) {
    int f = open(path, O_RDONLY), n = f < 0 ? 0 : read(f, text, size - 1);
    text[n < 0 ? 0 : n] = 0;
    text[strcspn(text, "\n")] = 0;
    close(f);
    return text;
}

static const char *variable(const char *name) { return getenv(name) ? getenv(name) : ""; }
static const char *yes(int condition) { return condition ? "true" : "false"; }

int main(int argc, char **argv) {
    char id[64], head[256], data[256], folder[256];
    for (;;) {
        talk("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n", "");
        char *found = strcasestr(in, "lambda-runtime-aws-request-id: ");
        if (!found) return 8;
        sscanf(found + 31, "%63[^\r]", id);
        printf("running %s\n", argv[0]);
        fflush(stdout);
        int own = open("/data/new", O_CREAT | O_WRONLY, 0600), tmp = open("/tmp/new", O_CREAT | O_WRONLY, 0600);
        snprintf(out, sizeof out,
                 "{\"event\": %s, \"first\": \"%s\", \"data\": \"%s\", \"folder\": \"%s\", \"image\": \"%s\", \"own\": \"%s\","
                 "\"path\": \"%s\", \"name\": \"%s\", \"writes\": %s, \"tmp\": %s, \"hidden\": %s, \"machine\": %s,"
                 "\"null\": %s}",
                 strstr(in, "\r\n\r\n") + 4, argc > 1 ? argv[1] : "", line_of("/data/layer.txt", data, sizeof data),
                 getcwd(folder, sizeof folder), variable("IMAGE"), variable("OWN"), variable("PATH"),
                 variable("AWS_LAMBDA_FUNCTION_NAME"), yes(own >= 0), yes(tmp >= 0), yes(access("/data/hidden", F_OK)),
                 yes(!access("/usr", F_OK)), yes(!access("/dev/null", W_OK)));
        close(own);
        close(tmp);
        snprintf(head, sizeof head, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\n", id);
        talk(head, out);
    }
}
