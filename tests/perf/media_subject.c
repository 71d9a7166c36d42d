/* SPDX-License-Identifier: Apache-2.0 */
#include "media_subject.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "codec_cost.h"
#include "media/media.h"

#define BATCH    64
#define PORT_MIN 12000 /* below those the kernel gives away */
#define PORT_MAX 31999
#define TEXT_MAX 4096 /* bytes of a message to or from a subject */

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(sched_setaffinity(0, sizeof(set), &set) == 0, "processor");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing stays behind */
}

/* ---- the floor: batched UDP on one socket, the cipher and codecs, nothing else ---- */

struct floor {
	struct sockaddr_in to[65536]; /* by the number of the leg a packet comes from */
	EVP_CIPHER_CTX *in[65536], *out[65536];
	struct voice_decoder *decoder[65536]; /* NULL: nothing is transcoded */
	struct voice_encoder *encoder[65536];
	uint8_t type[65536]; /* of what is encoded */
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	union net_address addresses[BATCH];
	uint8_t packets[BATCH][256];
};

static EVP_CIPHER_CTX *make_cipher(bool wanted)
{
	static const uint8_t key[16] = { 1 };
	EVP_CIPHER_CTX *cipher = wanted ? EVP_CIPHER_CTX_new() : NULL;

	must(!wanted || (cipher && EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, key, NULL)),
	     "cipher");
	return cipher;
}

static void seal(EVP_CIPHER_CTX *cipher, const uint8_t *packet, size_t length)
{
	static uint8_t sealed[256], tag[16];
	static uint8_t iv[12];
	int count;

	if (!cipher)
		return;
	memcpy(iv, packet, sizeof(iv));
	(void)EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, iv);
	(void)EVP_EncryptUpdate(cipher, NULL, &count, packet, 12);
	(void)EVP_EncryptUpdate(cipher, sealed, &count, packet + 12, (int)length - 12);
	(void)EVP_EncryptFinal_ex(cipher, sealed, &count);
	(void)EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, sizeof(tag), tag);
}

static void make_codecs(struct floor *floor, const struct load_leg *leg,
			const struct load_leg *other)
{
	unsigned rate = voice_rate(leg->voice, other->voice), index = load_index(&leg->address);
	const struct voice_encoding encoding = { .kind = other->voice,
						 .rate = rate,
						 .complexity = CODEC_COST_COMPLEXITY,
						 .fmtp = "useinbandfec=1" };

	if (leg->voice == other->voice)
		return;
	must(voice_decoder_create(&floor->decoder[index], leg->voice, rate) == 0 &&
		     voice_encoder_create(&floor->encoder[index], &encoding) == 0,
	     "codecs");
	floor->type[index] = load_type(other->voice);
}

/* Returns the packet's new length. */
static size_t transcode(struct floor *floor, unsigned from, uint8_t *packet, size_t length)
{
	int16_t samples[VOICE_FRAME_MAX];
	uint8_t payload[VOICE_PAYLOAD_MAX];
	size_t count = voice_decode(floor->decoder[from], packet + 12, length - 12, samples);

	count = voice_encode(floor->encoder[from], samples, count, payload);
	must(count <= sizeof(floor->packets[0]) - 12, "room for a packet");
	packet[1] = floor->type[from];
	memcpy(packet + 12, payload, count);
	return 12 + count;
}

static void pass(struct floor *floor, int fd)
{
	int count, done = 0;

	for (unsigned i = 0; i < BATCH; i++) {
		floor->parts[i] = (struct iovec){ floor->packets[i], sizeof(floor->packets[i]) };
		floor->messages[i].msg_hdr =
			(struct msghdr){ .msg_name = &floor->addresses[i],
					 .msg_namelen = sizeof(floor->addresses[i]),
					 .msg_iov = &floor->parts[i],
					 .msg_iovlen = 1 };
	}
	count = recvmmsg(fd, floor->messages, BATCH, MSG_WAITFORONE, NULL);
	for (int i = 0; i < count; i++) {
		unsigned from = load_index(&floor->addresses[i]);
		size_t length = floor->messages[i].msg_len;

		seal(floor->in[from], floor->packets[i], length);
		if (floor->decoder[from])
			length = transcode(floor, from, floor->packets[i], length);
		seal(floor->out[from], floor->packets[i], length);
		floor->parts[i].iov_len = length;
		floor->addresses[i].v4 = floor->to[from];
	}
	while (done < count) {
		int sent = sendmmsg(fd, floor->messages + done, (unsigned)(count - done), 0);

		done += sent > 0 ? sent : 1; /* what cannot be sent is lost */
	}
}

static void floor_main(int fd, const struct load *load)
{
	struct floor *floor = calloc(1, sizeof(*floor));

	must(floor != NULL, "floor");
	for (unsigned i = 0; i < load->calls * 2; i++) {
		const struct load_leg *leg = &load->legs[i], *other = &load->legs[i ^ 1];

		floor->to[i] = other->address.v4;
		floor->in[i] = make_cipher(leg->secure);
		floor->out[i] = make_cipher(other->secure);
		make_codecs(floor, leg, other);
	}
	for (;;)
		pass(floor, fd);
}

/* Bound to a port that the kernel chooses. */
static int udp_socket(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = 4 << 20;
	socklen_t size = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	must(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
		     getsockname(fd, (struct sockaddr *)&address, &size) == 0,
	     "a socket");
	*ret_port = ntohs(address.sin_port);
	return fd;
}

/* ---- breakout: our engine; the texts of its calls come by a socket ---- */

struct message {
	uint32_t call;
	uint32_t is_answer;
	char sdp[TEXT_MAX];
};

struct relay {
	int fd;
	bool shared_port;
	unsigned count;
	struct relay_call {
		struct relay *relay;
		struct media_session *session;
	} * calls;
};

static void on_event(struct media_session *session, const struct media_event *event, void *arg)
{
	struct relay_call *call = arg;
	struct message message = { .call = (uint32_t)(call - call->relay->calls) };

	(void)session;
	if (event->type == MEDIA_EV_REFUSED || event->type == MEDIA_EV_FAILED) {
		(void)fprintf(stderr, "bench_media: %s\n", event->reason);
		_exit(1);
	}
	if (event->type != MEDIA_EV_OFFER && event->type != MEDIA_EV_ANSWER)
		return;
	message.is_answer = event->type == MEDIA_EV_ANSWER;
	(void)snprintf(message.sdp, sizeof(message.sdp), "%s", event->sdp);
	must(send(call->relay->fd, &message, sizeof(message), 0) > 0, "relay to phones");
}

static bool is_ours(enum subject_kind kind)
{
	return kind == SUBJECT_BREAKOUT || kind == SUBJECT_SHARED;
}

static void take_message(struct relay *relay, struct media_engine *engine, const struct load *load)
{
	struct media_session_options options = { .name = "bench", .on_event = on_event };
	struct message message;
	struct relay_call *call;

	if (recv(relay->fd, &message, sizeof(message), 0) <= 0)
		_exit(0); /* the measurement is over */
	call = &relay->calls[message.call];
	if (message.is_answer) {
		must(media_answer(call->session, MEDIA_B, message.sdp) == 0, "answer");
		return;
	}
	for (unsigned side = 0; side < 2; side++) {
		options.kind[side] = load->legs[side].secure ? MEDIA_LEG_SDES : MEDIA_LEG_RTP;
		options.rules[side].shared_port = relay->shared_port;
		options.rules[side].convert = load->legs[side].voice != VOICE_NONE;
	}
	options.arg = call;
	call->relay = relay;
	must(media_session_create(&call->session, engine, &options) == 0 &&
		     media_offer(call->session, MEDIA_A, message.sdp) == 0,
	     "session");
}

static void relay_main(int fd, bool shared_port, const struct load *load)
{
	const struct media_engine_options options = {
		.address = "127.0.0.1",
		.port_min = PORT_MIN,
		.port_max = PORT_MAX,
		.threads = 1,
		.opus_complexity = CODEC_COST_COMPLEXITY,
	};
	struct relay relay = { .fd = fd,
			       .shared_port = shared_port,
			       .calls = calloc(load->calls, sizeof(relay.calls[0])) };
	struct media_engine *engine;

	log_set_level(LOG_LEVEL_ERROR);
	must(relay.calls && media_engine_create(&engine, &options) == 0, "engine");
	for (;;) {
		struct pollfd fds[2] = { { .fd = fd, .events = POLLIN },
					 { .fd = media_engine_fd(engine), .events = POLLIN } };

		(void)poll(fds, 2, -1);
		media_engine_drain(engine);
		if (fds[0].revents)
			take_message(&relay, engine, load);
	}
}

static char *ask_breakout(const struct subject *subject, unsigned call, bool is_answer,
			  const char *sdp)
{
	struct message message = { .call = call, .is_answer = is_answer };

	(void)snprintf(message.sdp, sizeof(message.sdp), "%s", sdp);
	must(send(subject->fd, &message, sizeof(message), 0) > 0 &&
		     recv(subject->fd, &message, sizeof(message), 0) > 0,
	     "breakout");
	return strdup(message.sdp);
}

/* ---- rtpengine: its ng protocol, bencode in UDP ---- */

static void add_word(struct str *to, const char *word)
{
	str_addf(to, "%zu:%s", strlen(word), word);
}

static void add_pair(struct str *to, const char *key, const char *value)
{
	add_word(to, key);
	add_word(to, value);
}

static char *sdp_of(const char *reply)
{
	const char *at = strstr(reply, "3:sdp");
	char *text;
	size_t length;

	must(at != NULL, reply);
	length = strtoul(at + 5, &text, 10);
	return strndup(text + 1, length);
}

/* to: the leg that is told what comes back. */
static char *ask_rtpengine(const struct subject *subject, unsigned call, bool is_answer,
			   const char *sdp, const struct load_leg *to)
{
	char id[16], reply[TEXT_MAX * 2];
	struct str text = { 0 };
	ssize_t length;
	char *whole;

	(void)snprintf(id, sizeof(id), "call%u", call);
	str_addf(&text, "%u%u d", call, is_answer);
	add_pair(&text, "ICE", "remove");
	add_pair(&text, "call-id", id);
	if (to->voice != VOICE_NONE && !is_answer) { /* keys of a dictionary are sorted */
		str_add(&text, "5:codecd");
		add_word(&text, "transcode");
		str_add(&text, "l");
		add_word(&text, to->voice == VOICE_OPUS ? "opus" : "PCMA");
		str_add(&text, "ee");
	}
	add_pair(&text, "command", is_answer ? "answer" : "offer");
	add_pair(&text, "from-tag", "a");
	add_pair(&text, "sdp", sdp);
	if (is_answer)
		add_pair(&text, "to-tag", "b");
	add_pair(&text, "transport-protocol", to->secure ? "RTP/SAVP" : "RTP/AVP");
	str_add(&text, "e");
	whole = str_take(&text);
	must(whole && send(subject->fd, whole, strlen(whole), 0) > 0, "rtpengine");
	free(whole);
	length = recv(subject->fd, reply, sizeof(reply) - 1, 0);
	must(length > 0, "rtpengine does not answer");
	reply[length] = '\0';
	return sdp_of(reply);
}

static void exec_rtpengine(uint16_t port)
{
	char listen[32], first[32], last[32];
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", port);
	(void)snprintf(first, sizeof(first), "--port-min=%d", PORT_MIN);
	(void)snprintf(last, sizeof(last), "--port-max=%d", PORT_MAX);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
	(void)execlp("rtpengine", "rtpengine", "--table=-1", "--foreground", "--log-stderr",
		     "--log-level=2", "--interface=127.0.0.1", "--num-threads=1", first, last,
		     "--listen-ng", listen, NULL);
	_exit(127);
}

/* False: it has not begun to listen. */
static bool await_rtpengine(struct subject *subject, uint16_t port)
{
	const struct timeval patience = { .tv_sec = 2 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	char reply[64];

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	subject->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must(subject->fd >= 0 && connect(subject->fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
		     setsockopt(subject->fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
				sizeof(patience)) == 0,
	     "socket");
	for (unsigned tries = 0; tries < 50; tries++) {
		if (send(subject->fd, "0 d7:command4:pinge", 19, 0) > 0 &&
		    recv(subject->fd, reply, sizeof(reply), 0) > 0)
			return true;
		if (waitpid(subject->pid, NULL, WNOHANG) != 0)
			break;
		(void)usleep(100000);
	}
	return false;
}

/* ---- all ---- */

static void start_direct(struct subject *subject, const struct load *load)
{
	*subject = (struct subject){ .kind = SUBJECT_DIRECT, .fd = -1 };
	for (unsigned i = 0; i < load->calls * 2; i++)
		load_aim_at(&load->legs[i], &load->legs[i ^ 1].address);
}

bool subject_start(struct subject *subject, enum subject_kind kind, const struct load *load,
		   int cpu)
{
	int ends[2] = { -1, -1 };
	union net_address at;
	uint16_t port = 0;

	if (kind == SUBJECT_DIRECT) {
		start_direct(subject, load);
		return true;
	}
	if (kind == SUBJECT_FLOOR)
		ends[1] = udp_socket(&port);
	else if (kind == SUBJECT_RTPENGINE)
		close(udp_socket(&port)); /* it binds the port itself */
	else if (is_ours(kind))
		must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "pipe");
	*subject = (struct subject){ .kind = kind, .fd = ends[0], .pid = fork() };
	must(subject->pid >= 0, "fork");
	if (subject->pid == 0) {
		pin(cpu);
		if (kind == SUBJECT_RTPENGINE)
			exec_rtpengine(port);
		if (kind == SUBJECT_FLOOR)
			floor_main(ends[1], load);
		close(ends[0]);
		relay_main(ends[1], kind == SUBJECT_SHARED, load);
	}
	if (ends[1] >= 0)
		close(ends[1]);
	must(net_parse("127.0.0.1", port, &at) == 0, "address");
	for (unsigned i = 0; kind == SUBJECT_FLOOR && i < load->calls * 2; i++)
		load_aim_at(&load->legs[i], &at);
	if (kind != SUBJECT_RTPENGINE || await_rtpengine(subject, port))
		return true;
	subject_stop(subject);
	return false;
}

void subject_stop(struct subject *subject)
{
	if (subject->pid == 0)
		return;
	(void)kill(subject->pid, SIGKILL); /* it may be gone already */
	(void)waitpid(subject->pid, NULL, 0);
	if (subject->fd >= 0)
		close(subject->fd);
}

static char *ask(const struct subject *subject, unsigned call, bool is_answer, const char *sdp,
		 const struct load_leg *to)
{
	return is_ours(subject->kind) ? ask_breakout(subject, call, is_answer, sdp)
				      : ask_rtpengine(subject, call, is_answer, sdp, to);
}

static void connect_call(struct subject *subject, struct load *load, unsigned call)
{
	struct load_leg *a = &load->legs[call * 2], *b = a + 1;
	char *from_a = load_describe(a, NULL);
	char *to_b = ask(subject, call, /* is_answer= */ false, from_a, b);
	char *from_b = load_describe(b, to_b);
	char *to_a = ask(subject, call, /* is_answer= */ true, from_b, a);

	load_aim(b, to_b, /* we_offered= */ false);
	load_aim(a, to_a, /* we_offered= */ true);
	free(from_a);
	free(to_b);
	free(from_b);
	free(to_a);
}

void subject_connect(struct subject *subject, struct load *load)
{
	if (subject->kind == SUBJECT_DIRECT || subject->kind == SUBJECT_FLOOR)
		return;
	for (unsigned call = 0; call < load->calls; call++)
		connect_call(subject, load, call);
}

uint64_t subject_cpu_ns(const struct subject *subject)
{
	uint64_t sum = 0;
	struct dirent *entry;
	char path[320];
	DIR *folder;

	if (subject->pid == 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/task", subject->pid);
	folder = opendir(path);
	must(folder != NULL, "the relay has ended");
	while ((entry = readdir(folder)) != NULL) {
		unsigned long long ns = 0;
		FILE *file;

		(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", subject->pid,
			       entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (!file)
			continue;
		sum += fscanf(file, "%llu", &ns) == 1 ? ns : 0;
		(void)fclose(file);
	}
	(void)closedir(folder);
	return sum;
}

size_t subject_memory(const struct subject *subject)
{
	unsigned long pages = 0;
	char path[64];
	FILE *file;

	if (subject->pid == 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/statm", subject->pid);
	file = fopen(path, "re");
	must(file && fscanf(file, "%*u %lu", &pages) == 1, "memory of the relay");
	(void)fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}
