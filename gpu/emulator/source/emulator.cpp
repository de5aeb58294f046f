// Runs kernels on a CPU, for tests: exactly what each thread computes, nothing of how fast. It is a program of its own that
// reads commands from standard input and answers on standard output, so that a kernel that writes where it must not ends this
// process and not the test.
//
// A block's threads are fibers that run until a barrier, one after the other, from the first or (order 1) from the last on, as do
// the blocks of a grid: a missing barrier shows as a difference between the two, and so does a block that reads what another
// overwrites. What a warp does together keeps its lanes in step, but no other warp. Fresh memory, shared memory too, holds NaN.
// Asynchronous copies arrive as late as they may, when they are waited for (order 0), which shows reads that do not wait for them,
// or as early, at once (order 1), which shows buffers that are filled again while others still read them.
#include "emulator.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

uint3 threadIdx, blockIdx, blockDim, gridDim;

extern "C" void switch_stack(void **save, void *to);
asm(R"(
.text
.globl switch_stack
switch_stack:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
)");

namespace emulator {

struct Copy {
	void *to;
	const void *from;
	int size;
	bool valid;
};

struct Fiber {
	unsigned char *stack = nullptr;
	void *sp = nullptr;
	void *fake = nullptr; // of the address sanitizer
	uint3 thread;
	int number = 0, waits = 0; // waits: 0 runs, 1 at the block's barrier, 2 at the warp's meeting
	bool done = false;
	std::vector<Copy> open;               // copies not yet committed
	std::vector<std::vector<Copy>> groups; // committed, not yet waited for
};

struct Warp {
	int members = 0, arrived = 0;
	unsigned char slots[32 * 64];
};

const size_t stack_size = 512 << 10;
const size_t shared_size = 227 << 10;

static std::vector<Fiber> fibers;
static std::vector<Warp> warps;
static Fiber *current;
static void *scheduler;
#if defined(__SANITIZE_ADDRESS__)
static void *scheduler_fake;
static const void *scheduler_bottom;
static size_t scheduler_size;
#endif
alignas(128) static unsigned char shared[shared_size];
static size_t (*kernel)(const uint64_t *);
static const uint64_t *parameters;
static const char *name = "none";
static int reverse_order;

static std::map<std::string, size_t (*)(const uint64_t *)> &kernels() {
	static std::map<std::string, size_t (*)(const uint64_t *)> all;
	return all;
}

Registered::Registered(const char *n, size_t (*c)(const uint64_t *)) { kernels()[n] = c; }

void fail(const char *what) {
	std::fprintf(stderr, "kernel %s: block (%u,%u,%u) thread (%u,%u,%u): %s\n", name, blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x,
				 threadIdx.y, threadIdx.z, what);
	std::abort();
}

static void leave(bool last) {
#if defined(__SANITIZE_ADDRESS__)
	Fiber *me = current;
	__sanitizer_start_switch_fiber(last ? nullptr : &me->fake, scheduler_bottom, scheduler_size);
	switch_stack(&me->sp, scheduler);
	__sanitizer_finish_switch_fiber(me->fake, nullptr, nullptr);
#else
	(void)last;
	switch_stack(&current->sp, scheduler);
#endif
}

static void enter(Fiber *f) {
	current = f;
	threadIdx = f->thread;
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(&scheduler_fake, f->stack, stack_size);
	switch_stack(&scheduler, f->sp);
	__sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
#else
	switch_stack(&scheduler, f->sp);
#endif
}

static void run_thread() {
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom, &scheduler_size);
#endif
	kernel(parameters);
	if (!current->open.empty() || !current->groups.empty()) {
		// A kernel may end with copies under way only if it never reads them; it still has to wait for them.
		fail("ends before its asynchronous copies");
	}
	current->done = true;
	leave(true);
	fail("runs on after its end");
}

void *dynamic_shared() { return shared; }

void barrier() {
	current->waits = 1;
	leave(false);
}

// meet waits until all lanes of the warp have come; the last one does the work.
template <class F> static void meet(Warp &w, F work) {
	if (++w.arrived < w.members) {
		current->waits = 2;
		leave(false);
		return;
	}
	work();
	w.arrived = 0;
	for (int i = 0; i < w.members; i++) {
		Fiber &f = fibers[current->number / 32 * 32 + i];
		if (f.waits == 2) f.waits = 0;
	}
}

void together(void *mine, int size, void (*work)(unsigned char *, long long), long long argument) {
	Warp &w = warps[current->number / 32];
	unsigned char *slot = w.slots + 64 * (current->number % 32);
	std::memcpy(slot, mine, size);
	meet(w, [&] {
		if (w.members < 32) fail("a warp of fewer than 32 threads works together");
		work(w.slots, argument);
	});
	std::memcpy(mine, slot, size);
	meet(w, [] {}); // nobody may fill the slots again before all have taken theirs away
}

static void arrive(const Copy &c) {
	if (c.valid) std::memcpy(c.to, c.from, c.size);
	else std::memset(c.to, 0, c.size);
}
void copy_async(void *to, const void *from, int size, bool valid) {
	check_aligned(to, size);
	check_aligned(from, size);
	current->open.push_back({to, from, size, valid});
	if (reverse_order) arrive(current->open.back());
}
void commit() {
	current->groups.push_back(std::move(current->open));
	current->open.clear();
}
void wait(int groups) {
	while ((int)current->groups.size() > groups) {
		if (!reverse_order)
			for (const Copy &c : current->groups.front()) arrive(c);
		current->groups.erase(current->groups.begin());
	}
}

struct Product {
	float d[4];
	uint32_t a[4], b[2];
};

// tf32 are the bits that a tensor core reads: it ignores the last 13.
static float tf32(uint32_t bits) { return __uint_as_float(bits & ~0x1fffu); }
static float bf16(uint32_t pair, int high) { return __uint_as_float(high ? pair & 0xffff0000u : pair << 16); }

void multiply_tf32(unsigned char *all, long long) {
	float a[16][8], b[8][8];
	for (int lane = 0; lane < 32; lane++) {
		Product p;
		std::memcpy(&p, all + 64 * lane, sizeof p);
		int g = lane / 4, t = lane % 4;
		a[g][t] = tf32(p.a[0]), a[g + 8][t] = tf32(p.a[1]), a[g][t + 4] = tf32(p.a[2]), a[g + 8][t + 4] = tf32(p.a[3]);
		b[t][g] = tf32(p.b[0]), b[t + 4][g] = tf32(p.b[1]);
	}
	for (int lane = 0; lane < 32; lane++) {
		float d[4];
		std::memcpy(d, all + 64 * lane, sizeof d);
		for (int i = 0; i < 4; i++) {
			int row = lane / 4 + i / 2 * 8, col = lane % 4 * 2 + i % 2;
			for (int k = 0; k < 8; k++) d[i] += a[row][k] * b[k][col];
		}
		std::memcpy(all + 64 * lane, d, sizeof d);
	}
}

void multiply_bf16(unsigned char *all, long long) {
	float a[16][16], b[16][8];
	for (int lane = 0; lane < 32; lane++) {
		Product p;
		std::memcpy(&p, all + 64 * lane, sizeof p);
		int g = lane / 4, t = lane % 4;
		for (int high = 0; high < 2; high++) {
			a[g][2 * t + high] = bf16(p.a[0], high), a[g + 8][2 * t + high] = bf16(p.a[1], high);
			a[g][2 * t + 8 + high] = bf16(p.a[2], high), a[g + 8][2 * t + 8 + high] = bf16(p.a[3], high);
			b[2 * t + high][g] = bf16(p.b[0], high), b[2 * t + 8 + high][g] = bf16(p.b[1], high);
		}
	}
	for (int lane = 0; lane < 32; lane++) {
		float d[4];
		std::memcpy(d, all + 64 * lane, sizeof d);
		for (int i = 0; i < 4; i++) {
			int row = lane / 4 + i / 2 * 8, col = lane % 4 * 2 + i % 2;
			for (int k = 0; k < 16; k++) d[i] += a[row][k] * b[k][col];
		}
		std::memcpy(all + 64 * lane, d, sizeof d);
	}
}

void load_matrices(unsigned char *all, long long trans) {
	const unsigned char *rows[32];
	for (int lane = 0; lane < 32; lane++) std::memcpy(&rows[lane], all + 64 * lane + 16, sizeof(void *));
	for (int lane = 0; lane < 32; lane++) {
		int g = lane / 4, t = lane % 4;
		for (int i = 0; i < 4; i++) {
			uint16_t pair[2];
			for (int k = 0; k < 2; k++) {
				int row = trans ? 2 * t + k : g, col = trans ? g : 2 * t + k;
				std::memcpy(&pair[k], rows[8 * i + row] + 2 * col, 2);
			}
			std::memcpy(all + 64 * lane + 4 * i, pair, 4);
		}
	}
}

// run_warp runs the threads of a warp until all of them wait for the block or are done, and says whether any ran.
static bool run_warp(size_t warp) {
	int members = warps[warp].members;
	for (bool ran = false;; ran = true) {
		bool some = false;
		for (int i = 0; i < members; i++) {
			Fiber &f = fibers[32 * warp + (reverse_order ? members - 1 - i : i)];
			while (!f.done && f.waits == 0) {
				some = true;
				enter(&f);
			}
		}
		if (!some) return ran;
	}
}

// run_block runs all threads of the block blockIdx.
static void run_block(int shared_bytes) {
#if defined(__SANITIZE_ADDRESS__)
	ASAN_POISON_MEMORY_REGION(shared, shared_size);
	ASAN_UNPOISON_MEMORY_REGION(shared, shared_bytes);
#endif
	std::memset(shared, 0xff, shared_bytes);
	size_t count = fibers.size();
	for (size_t i = 0; i < count; i++) {
		Fiber &f = fibers[i];
		f.number = (int)i;
		f.done = false;
		f.waits = 0;
		f.thread = {(unsigned)(i % blockDim.x), (unsigned)(i / blockDim.x % blockDim.y), (unsigned)(i / blockDim.x / blockDim.y)};
#if defined(__SANITIZE_ADDRESS__)
		ASAN_UNPOISON_MEMORY_REGION(f.stack + stack_size - 65536, 65536); // of the thread that ended here
#endif
		void **top = reinterpret_cast<void **>(f.stack + stack_size - 64);
		*--top = nullptr;                                     // the return address of run_thread, never used
		*--top = reinterpret_cast<void *>(&run_thread);
		for (int r = 0; r < 6; r++) *--top = nullptr;
		f.sp = top;
	}
	for (size_t i = 0; i < warps.size(); i++) {
		warps[i].members = (int)std::min<size_t>(32, count - 32 * i);
		warps[i].arrived = 0;
	}
	for (;;) {
		bool ran = false, all_done = true, all_wait = true;
		for (size_t i = 0; i < warps.size(); i++) ran |= run_warp(reverse_order ? warps.size() - 1 - i : i);
		for (Fiber &f : fibers) {
			if (!f.done) all_done = false;
			if (!f.done && f.waits != 1) all_wait = false;
		}
		if (all_done) return;
		if (all_wait) {
			for (Fiber &f : fibers) f.waits = 0;
		} else if (!ran) {
			fail("threads wait for each other at different places");
		}
	}
}

static std::string launch(const std::string &which, const int *grid, const int *block, int shared_bytes, const std::vector<uint64_t> &p) {
	auto found = kernels().find(which);
	if (found == kernels().end()) return "no such kernel";
	if (found->second(nullptr) != p.size()) {
		return "takes " + std::to_string(found->second(nullptr)) + " parameters, got " + std::to_string(p.size());
	}
	long long threads = (long long)block[0] * block[1] * block[2];
	if (threads < 1 || threads > 1024) return "block of " + std::to_string(threads) + " threads";
	if (grid[0] < 1 || grid[1] < 1 || grid[2] < 1 || grid[1] > 65535 || grid[2] > 65535) return "impossible grid";
	if (shared_bytes < 0 || (size_t)shared_bytes > shared_size) return "too much shared memory";
	while (fibers.size() < (size_t)threads) {
		fibers.emplace_back();
		void *stack = mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (stack == MAP_FAILED) return "no memory for stacks";
		fibers.back().stack = static_cast<unsigned char *>(stack);
	}
	for (size_t i = threads; i < fibers.size(); i++) munmap(fibers[i].stack, stack_size);
	fibers.resize(threads);
	warps.assign((threads + 31) / 32, Warp());
	kernel = found->second;
	name = found->first.c_str();
	parameters = p.data();
	gridDim = {(unsigned)grid[0], (unsigned)grid[1], (unsigned)grid[2]};
	blockDim = {(unsigned)block[0], (unsigned)block[1], (unsigned)block[2]};
	long long blocks = (long long)grid[0] * grid[1] * grid[2];
	for (long long i = 0; i < blocks; i++) {
		long long at = reverse_order ? blocks - 1 - i : i;
		blockIdx = {(unsigned)(at % grid[0]), (unsigned)(at / grid[0] % grid[1]), (unsigned)(at / grid[0] / grid[1])};
		run_block(shared_bytes);
	}
	return "";
}

} // namespace emulator

static void read_all(void *to, size_t n) {
	unsigned char *p = static_cast<unsigned char *>(to);
	while (n > 0) {
		ssize_t got = read(0, p, n);
		if (got <= 0) std::exit(0);
		p += got, n -= got;
	}
}
static void write_all(const void *from, size_t n) {
	const unsigned char *p = static_cast<const unsigned char *>(from);
	while (n > 0) {
		ssize_t put = write(1, p, n);
		if (put <= 0) std::exit(0);
		p += put, n -= put;
	}
}
static uint64_t read_number() {
	uint64_t v;
	read_all(&v, 8);
	return v;
}
static void write_number(uint64_t v) { write_all(&v, 8); }

// Commands are numbers of 8 bytes, little endian: 1 allocate(bytes) -> address or 0; 2 free(address); 3 upload(address, bytes,
// data); 4 download(address, bytes) -> data; 5 launch(length of name, name, grid, block, shared, count, parameters) -> length of
// an error, error; 6 order(0 or 1); 7 kernels() -> length, names and their parameters, a line each.
int main() {
	for (;;) {
		switch (read_number()) {
		case 1: {
			uint64_t bytes = read_number();
			void *p = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
#if defined(__SANITIZE_ADDRESS__)
			std::free(p);
			p = nullptr;
			if (posix_memalign(&p, 256, bytes)) p = nullptr;
#endif
			if (p) std::memset(p, 0xff, bytes);
			write_number(reinterpret_cast<uint64_t>(p));
			break;
		}
		case 2:
			std::free(reinterpret_cast<void *>(read_number()));
			break;
		case 3: {
			uint64_t at = read_number(), bytes = read_number();
			read_all(reinterpret_cast<void *>(at), bytes);
			break;
		}
		case 4: {
			uint64_t at = read_number(), bytes = read_number();
			write_all(reinterpret_cast<void *>(at), bytes);
			break;
		}
		case 5: {
			std::string which(read_number(), ' ');
			read_all(&which[0], which.size());
			int shape[7];
			for (int &v : shape) v = (int)read_number();
			std::vector<uint64_t> p(read_number());
			for (uint64_t &v : p) v = read_number();
			std::string problem = emulator::launch(which, shape, shape + 3, shape[6], p);
			write_number(problem.size());
			write_all(problem.data(), problem.size());
			break;
		}
		case 6:
			emulator::reverse_order = (int)read_number();
			break;
		case 7: {
			std::string all;
			for (auto &k : emulator::kernels()) all += k.first + " " + std::to_string(k.second(nullptr)) + "\n";
			write_number(all.size());
			write_all(all.data(), all.size());
			break;
		}
		default:
			std::fprintf(stderr, "unknown command\n");
			return 2;
		}
	}
}
