// Where the windows of a convolution lie and what their taps read.
#pragma once

#include "device.cuh"

// Three are numbers along H, W, D.
struct Three {
	int h, w, d;
	__device__ __forceinline__ int volume() const { return h * w * d; }
	// place is where i lies in a volume of this size.
	__device__ __forceinline__ Three place(int i) const { return {i / d / w, i / d % w, i % d}; }
	__device__ __forceinline__ bool holds(int y, int x, int z) const { return (unsigned)y < (unsigned)h && (unsigned)x < (unsigned)w && (unsigned)z < (unsigned)d; }
};

// Convolution is a Conv3dShape.
struct Convolution {
	int in, out;
	Three size, kernel, stride, pad;

	static __device__ __forceinline__ int windows(int size, int kernel, int stride, int pad) { return (size + 2 * pad - kernel) / stride + 1; }
	__device__ __forceinline__ Three out_size() const {
		return {windows(size.h, kernel.h, stride.h, pad.h), windows(size.w, kernel.w, stride.w, pad.w), windows(size.d, kernel.d, stride.d, pad.d)};
	}
};

// Remainder is what voxels of the input have in common along an axis if their distance to the padding's edge has the same
// remainder modulo the stride: taps remainder + stride a, a < taps, reach the voxels first + stride j, j < voxels, from
// the outputs output + j - a.
struct Remainder {
	int taps, first, voxels, output;
	__device__ __forceinline__ Remainder(int remainder, int size, int kernel, int stride, int pad) {
		taps = remainder < kernel ? (kernel - remainder + stride - 1) / stride : 0;
		first = (remainder + stride - pad % stride) % stride;
		voxels = first < size ? (size - first + stride - 1) / stride : 0;
		output = (first + pad - remainder) / stride;
	}
};

// Remainders are those along the axes; there are stride.volume() of them.
struct Remainders {
	Remainder h, w, d;
	__device__ __forceinline__ Remainders(const Convolution &c, Three r)
		: h(r.h, c.size.h, c.kernel.h, c.stride.h, c.pad.h), w(r.w, c.size.w, c.kernel.w, c.stride.w, c.pad.w),
		  d(r.d, c.size.d, c.kernel.d, c.stride.d, c.pad.d) {}
	__device__ __forceinline__ Three taps() const { return {h.taps, w.taps, d.taps}; }
};

// Taps are what a window reads of a volume: [channel, size]: tap a of window n reads the voxel origin of n + way a.
struct Taps {
	Three size, taps;
	int way;

	// few taps have a bit each.
	__device__ __forceinline__ bool few() const { return taps.volume() <= 32; }

	// tap is how far from the window's origin it reads in memory, and its bit, or its place with 10 bits along each axis.
	__device__ __forceinline__ uint2 tap(int channel, int tap) const {
		Three a = taps.place(tap);
		int offset = channel * size.volume() + way * ((a.h * size.w + a.w) * size.d + a.d);
		return make_uint2(offset, few() ? 1u << tap : a.h | a.w << 10 | a.d << 20);
	}
	// no_tap reads zero.
	__device__ __forceinline__ uint2 no_tap() const { return make_uint2(0, few() ? 0 : 1u << 31); }
};

// Window is one of them.
struct Window {
	const float *origin; // may lie outside
	Three at;
	bool exists;
	unsigned int inside; // the bits of the taps that read within the volume

	__device__ __forceinline__ Window(const Taps &t, const float *volume, Three at, bool exists) : at(at), exists(exists), inside(0) {
		origin = volume + (at.h * t.size.w + at.w) * t.size.d + at.d;
		if (!exists || !t.few()) return;
		unsigned int line = 0, plane = 0;
		for (int a = 0; a < t.taps.d; a++)
			if ((unsigned)(at.d + t.way * a) < (unsigned)t.size.d) line |= 1u << a;
		for (int a = 0; a < t.taps.w; a++)
			if ((unsigned)(at.w + t.way * a) < (unsigned)t.size.w) plane |= line << a * t.taps.d;
		for (int a = 0; a < t.taps.h; a++)
			if ((unsigned)(at.h + t.way * a) < (unsigned)t.size.h) inside |= plane << a * t.taps.d * t.taps.w;
	}
	// reads says whether a tap reads within the volume where there are more than a few.
	__device__ __forceinline__ bool reads(const Taps &t, uint2 tap) const {
		int h = tap.y & 1023, w = tap.y >> 10 & 1023, d = tap.y >> 20;
		return exists && tap.y < 1u << 31 && t.size.holds(at.h + t.way * h, at.w + t.way * w, at.d + t.way * d);
	}
	__device__ __forceinline__ void copy(float *to, uint2 tap) const { copy_async4(to, origin + (int)tap.x, (inside & tap.y) != 0); }
	__device__ __forceinline__ void copy(float *to, uint2 tap, const Taps &t) const { copy_async4(to, origin + (int)tap.x, reads(t, tap)); }
};
