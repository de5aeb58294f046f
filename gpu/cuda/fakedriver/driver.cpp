// A libcuda.so.1 for tests: devices without hardware, whose kernels gpu/emulator runs. The script build makes it.
//
// It is as unforgiving as the driver: calls need a context on their thread, copies must lie in what was allocated, modules must be
// fat binaries. Streams are threads that take their time, so that what is not waited for is seen to be missing. The environment
// says what there is, and is read at every call:
//   FAKE_DEVICES     how many, default 1
//   FAKE_MEMORY      bytes of each, separated by commas, the last for all further ones; default 1 GiB
//   FAKE_CAPABILITY  compute capability of each, likewise; default 9.0
//   FAKE_FAIL        calls that fail, with their results: cuMemAlloc=2,cuStreamEndCapture=900
//   FAKE_LOG         a file that gets a line for each launch and run, and for each context that ends with what is left in it
#define main emulator_main
#include "emulator.cpp"
#undef main

#include <cuda.h>

#include <atomic>
#include <condition_variable>
#include <cstdarg>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

namespace {

std::mutex turn; // of everything below
std::condition_variable changed;
std::mutex processor; // the emulator runs one kernel at a time

std::string setting(const char *name, int index, const char *otherwise) {
	const char *value = getenv(name);
	std::string all = value && *value ? value : otherwise;
	for (; index > 0 && all.find(',') != std::string::npos; index--) all.erase(0, all.find(',') + 1);
	return all.substr(0, all.find(','));
}

CUresult failure(const std::string &call) {
	for (int i = 0;; i++) {
		std::string s = setting("FAKE_FAIL", i, "");
		if (s.compare(0, call.size() + 1, call + "=") == 0) return static_cast<CUresult>(atoi(s.c_str() + call.size() + 1));
		if (s == setting("FAKE_FAIL", i + 1, "")) return CUDA_SUCCESS;
	}
}

void note(const char *format, ...) {
	const char *path = getenv("FAKE_LOG");
	FILE *f = path ? fopen(path, "a") : nullptr;
	if (!f) return;
	char line[4096];
	va_list list;
	va_start(list, format);
	vsnprintf(line, sizeof line, format, list);
	va_end(list);
	fprintf(f, "%s\n", line);
	fclose(f);
}

} // namespace

struct CUctx_st {
	int device, retained = 0;
	size_t used = 0;
	std::map<CUdeviceptr, size_t> memory;
	std::set<void *> streams, events, pinned, graphs, modules;
};

struct CUfunc_st {
	std::string name;
	int shared = 48 << 10;
};

struct CUmod_st {
	std::map<std::string, CUfunc_st> functions;
};

struct CUevent_st {
	int pending = 0; // records not yet reached
};

struct Launch {
	std::string name;
	int grid[3], block[3], shared;
	std::vector<uint64_t> parameters;

	std::string text() const {
		std::string all = name;
		for (int v : grid) all += " " + std::to_string(v);
		for (int v : block) all += " " + std::to_string(v);
		all += " " + std::to_string(shared);
		for (uint64_t v : parameters) all += " " + std::to_string(v);
		return all;
	}

	CUresult run() const {
		std::lock_guard<std::mutex> lock(processor);
		std::string problem = emulator::launch(name, grid, block, shared, parameters);
		if (problem.empty()) return CUDA_SUCCESS;
		fprintf(stderr, "fake driver: kernel %s: %s\n", name.c_str(), problem.c_str());
		return CUDA_ERROR_LAUNCH_FAILED;
	}
};

struct CUgraph_st {
	std::vector<Launch> launches;
};
struct CUgraphExec_st {
	std::vector<Launch> launches;
};

struct CUstream_st {
	std::deque<std::function<CUresult()>> work; // its first is at work
	std::unique_ptr<CUgraph_st> capture;
	CUresult broken = CUDA_SUCCESS;
	bool ends = false;
	std::thread thread{[this] { serve(); }};

	void serve() {
		std::unique_lock<std::mutex> lock(turn);
		for (;;) {
			changed.wait(lock, [this] { return ends || !work.empty(); });
			if (work.empty()) return;
			auto next = work.front();
			lock.unlock();
			usleep(500);
			CUresult r = next();
			lock.lock();
			if (r != CUDA_SUCCESS) broken = r;
			work.pop_front();
			changed.notify_all();
		}
	}
	void add(std::function<CUresult()> f) {
		work.push_back(f);
		changed.notify_all();
	}
	CUresult wait(std::unique_lock<std::mutex> &lock) {
		changed.wait(lock, [this] { return work.empty(); });
		return broken;
	}
};

namespace {

std::map<int, CUctx_st> contexts; // by device
thread_local CUcontext here;
bool started;

int devices() { return atoi(setting("FAKE_DEVICES", 0, "1").c_str()); }
size_t total(int device) { return strtoull(setting("FAKE_MEMORY", device, "1073741824").c_str(), nullptr, 10); }

// inside says whether so many bytes lie in one allocation.
bool inside(CUdeviceptr at, size_t bytes) {
	auto next = here->memory.upper_bound(at);
	if (next == here->memory.begin()) return false;
	--next;
	return at + bytes <= next->first + next->second;
}

} // namespace

// CALL begins every call: it takes the turn, fails where told to, and wants a context.
#define CALL_ANYWHERE(name)                                     \
	std::unique_lock<std::mutex> lock(turn);                    \
	if (CUresult told = failure(name); told != CUDA_SUCCESS) return told; \
	if (!started) return CUDA_ERROR_NOT_INITIALIZED
#define CALL(name)       \
	CALL_ANYWHERE(name); \
	if (!here) return CUDA_ERROR_INVALID_CONTEXT

extern "C" {

CUresult cuInit(unsigned int) {
	if (CUresult told = failure("cuInit"); told != CUDA_SUCCESS) return told;
	started = true;
	return CUDA_SUCCESS;
}
CUresult cuGetErrorName(CUresult, const char **name) { return *name = "CUDA_ERROR_FAKE", CUDA_SUCCESS; }
CUresult cuGetErrorString(CUresult, const char **text) { return *text = "told to fail", CUDA_SUCCESS; }
CUresult cuDriverGetVersion(int *version) { return *version = 12040, CUDA_SUCCESS; }

CUresult cuDeviceGetCount(int *count) {
	CALL_ANYWHERE("cuDeviceGetCount");
	return *count = devices(), CUDA_SUCCESS;
}
CUresult cuDeviceGet(CUdevice *device, int ordinal) {
	CALL_ANYWHERE("cuDeviceGet");
	if (ordinal < 0 || ordinal >= devices()) return CUDA_ERROR_INVALID_DEVICE;
	return *device = ordinal, CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char *name, int size, CUdevice device) {
	CALL_ANYWHERE("cuDeviceGetName");
	snprintf(name, size, "Fake %d", device);
	return CUDA_SUCCESS;
}
CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
	CALL_ANYWHERE("cuDeviceGetAttribute");
	std::string capability = setting("FAKE_CAPABILITY", device, "9.0");
	if (attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) return *value = atoi(capability.c_str()), CUDA_SUCCESS;
	if (attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR) return *value = atoi(capability.c_str() + 2), CUDA_SUCCESS;
	if (attribute == CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN) { // CUDA programming guide, technical specifications
		bool small = capability == "8.6" || capability == "8.9" || capability == "12.0";
		return *value = (small ? 99 : capability[0] == '8' ? 163 : 227) << 10, CUDA_SUCCESS;
	}
	return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
	CALL_ANYWHERE("cuDevicePrimaryCtxRetain");
	CUctx_st &c = contexts[device];
	c.device = device;
	c.retained++;
	return *context = &c, CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
	CALL_ANYWHERE("cuDevicePrimaryCtxRelease");
	CUctx_st &c = contexts[device];
	if (--c.retained > 0) return CUDA_SUCCESS;
	note("end device %d: memory %zu streams %zu events %zu pinned %zu graphs %zu modules %zu", device, c.memory.size(), c.streams.size(),
		 c.events.size(), c.pinned.size(), c.graphs.size(), c.modules.size());
	return CUDA_SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext context) {
	CALL_ANYWHERE("cuCtxSetCurrent");
	if (context && context->retained == 0) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
	return here = context, CUDA_SUCCESS;
}

CUresult cuMemGetInfo(size_t *free, size_t *all) {
	CALL("cuMemGetInfo");
	*all = total(here->device), *free = *all - std::min(*all, here->used);
	return CUDA_SUCCESS;
}
CUresult cuMemAlloc(CUdeviceptr *at, size_t bytes) {
	CALL("cuMemAlloc");
	if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
	void *p;
	if (here->used + bytes > total(here->device) || posix_memalign(&p, 512, bytes)) return CUDA_ERROR_OUT_OF_MEMORY;
	memset(p, 0xff, bytes);
	*at = reinterpret_cast<CUdeviceptr>(p);
	here->memory[*at] = bytes, here->used += bytes;
	return CUDA_SUCCESS;
}
CUresult cuMemFree(CUdeviceptr at) {
	CALL("cuMemFree");
	auto found = here->memory.find(at);
	if (found == here->memory.end()) return CUDA_ERROR_INVALID_VALUE;
	CUcontext c = here;
	changed.wait(lock, [c] { // streams come and go meanwhile
		return std::all_of(c->streams.begin(), c->streams.end(), [](void *s) { return static_cast<CUstream>(s)->work.empty(); });
	});
	here->used -= found->second;
	here->memory.erase(found);
	free(reinterpret_cast<void *>(at));
	return CUDA_SUCCESS;
}
CUresult cuMemHostAlloc(void **at, size_t bytes, unsigned int) {
	CALL("cuMemHostAlloc");
	*at = malloc(bytes);
	here->pinned.insert(*at);
	return CUDA_SUCCESS;
}
CUresult cuMemFreeHost(void *at) {
	CALL("cuMemFreeHost");
	if (!here->pinned.erase(at)) return CUDA_ERROR_INVALID_VALUE;
	free(at);
	return CUDA_SUCCESS;
}
CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t bytes, CUstream s) {
	CALL("cuMemcpyHtoDAsync");
	if (!inside(to, bytes)) return CUDA_ERROR_INVALID_VALUE;
	s->add([=] { return memcpy(reinterpret_cast<void *>(to), from, bytes), CUDA_SUCCESS; });
	return CUDA_SUCCESS;
}
CUresult cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t bytes, CUstream s) {
	CALL("cuMemcpyDtoHAsync");
	if (!inside(from, bytes)) return CUDA_ERROR_INVALID_VALUE;
	s->add([=] { return memcpy(to, reinterpret_cast<void *>(from), bytes), CUDA_SUCCESS; });
	return CUDA_SUCCESS;
}

CUresult cuStreamCreate(CUstream *stream, unsigned int) {
	CALL("cuStreamCreate");
	*stream = new CUstream_st;
	here->streams.insert(*stream);
	return CUDA_SUCCESS;
}
CUresult cuStreamSynchronize(CUstream s) {
	CALL("cuStreamSynchronize");
	return s->wait(lock);
}
CUresult cuStreamDestroy(CUstream s) {
	CALL("cuStreamDestroy");
	if (!here->streams.erase(s)) return CUDA_ERROR_INVALID_HANDLE;
	s->ends = true;
	changed.notify_all();
	lock.unlock();
	s->thread.join();
	delete s;
	return CUDA_SUCCESS;
}

CUresult cuEventCreate(CUevent *event, unsigned int) {
	CALL("cuEventCreate");
	*event = new CUevent_st;
	here->events.insert(*event);
	return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent e, CUstream s) {
	CALL("cuEventRecord");
	e->pending++;
	s->add([e] {
		std::lock_guard<std::mutex> reach(turn);
		e->pending--;
		changed.notify_all();
		return CUDA_SUCCESS;
	});
	return CUDA_SUCCESS;
}
CUresult cuEventSynchronize(CUevent e) {
	CALL("cuEventSynchronize");
	changed.wait(lock, [e] { return e->pending == 0; });
	for (void *s : here->streams) {
		if (CUresult broken = static_cast<CUstream>(s)->broken; broken != CUDA_SUCCESS) return broken;
	}
	return CUDA_SUCCESS;
}
CUresult cuEventDestroy(CUevent e) {
	CALL("cuEventDestroy");
	if (!here->events.erase(e)) return CUDA_ERROR_INVALID_HANDLE;
	delete e;
	return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
	CALL("cuModuleLoadData");
	const unsigned int magic = 0xba55ed50; // of a fat binary
	if (memcmp(image, &magic, sizeof magic)) return CUDA_ERROR_INVALID_IMAGE;
	*module = new CUmod_st;
	here->modules.insert(*module);
	return CUDA_SUCCESS;
}
CUresult cuModuleGetFunction(CUfunction *f, CUmodule module, const char *name) {
	CALL("cuModuleGetFunction");
	if (!emulator::kernels().count(name)) return CUDA_ERROR_NOT_FOUND;
	*f = &module->functions[name];
	(*f)->name = name;
	return CUDA_SUCCESS;
}
CUresult cuModuleUnload(CUmodule module) {
	CALL("cuModuleUnload");
	if (!here->modules.erase(module)) return CUDA_ERROR_INVALID_HANDLE;
	delete module;
	return CUDA_SUCCESS;
}
CUresult cuFuncSetAttribute(CUfunction f, CUfunction_attribute attribute, int value) {
	CALL("cuFuncSetAttribute");
	if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value > 227 << 10) return CUDA_ERROR_INVALID_VALUE;
	f->shared = value;
	return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
						CUstream s, void **parameters, void **) {
	CALL("cuLaunchKernel");
	if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || bx * by * bz < 1 || bx * by * bz > 1024) return CUDA_ERROR_INVALID_VALUE;
	if ((int)shared > f->shared) return CUDA_ERROR_INVALID_VALUE;
	Launch l{f->name, {(int)gx, (int)gy, (int)gz}, {(int)bx, (int)by, (int)bz}, (int)shared, {}};
	for (size_t i = 0; i < emulator::kernels()[f->name](nullptr); i++) l.parameters.push_back(*static_cast<uint64_t *>(parameters[i]));
	note("%s %s", s->capture ? "capture" : "launch", l.text().c_str());
	if (s->capture) {
		s->capture->launches.push_back(l);
	} else {
		s->add([l] { return l.run(); });
	}
	return CUDA_SUCCESS;
}

CUresult cuStreamBeginCapture(CUstream s, CUstreamCaptureMode) {
	CALL("cuStreamBeginCapture");
	if (s->capture) return CUDA_ERROR_ILLEGAL_STATE;
	s->capture.reset(new CUgraph_st);
	return CUDA_SUCCESS;
}
CUresult cuStreamEndCapture(CUstream s, CUgraph *graph) {
	*graph = nullptr;
	std::unique_ptr<CUgraph_st> captured = std::move(s->capture); // ends in any case
	CALL("cuStreamEndCapture");
	if (!captured) return CUDA_ERROR_ILLEGAL_STATE;
	*graph = captured.release();
	here->graphs.insert(*graph);
	return CUDA_SUCCESS;
}
CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long) {
	CALL("cuGraphInstantiateWithFlags");
	*exec = new CUgraphExec_st{graph->launches};
	here->graphs.insert(*exec);
	return CUDA_SUCCESS;
}
CUresult cuGraphDestroy(CUgraph graph) {
	CALL("cuGraphDestroy");
	if (!here->graphs.erase(graph)) return CUDA_ERROR_INVALID_VALUE;
	delete graph;
	return CUDA_SUCCESS;
}
CUresult cuGraphExecDestroy(CUgraphExec exec) {
	CALL("cuGraphExecDestroy");
	if (!here->graphs.erase(exec)) return CUDA_ERROR_INVALID_VALUE;
	delete exec;
	return CUDA_SUCCESS;
}
CUresult cuGraphLaunch(CUgraphExec exec, CUstream s) {
	CALL("cuGraphLaunch");
	note("graph of %zu", exec->launches.size());
	for (const Launch &l : exec->launches) s->add([l] { return l.run(); });
	return CUDA_SUCCESS;
}

} // extern "C"
