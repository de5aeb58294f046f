package weights

import (
	"encoding/binary"
	"io"
	"math"
)

// kind is a form in which files keep numbers.
type kind struct {
	width   int // bytes of a number
	convert func(dst []float32, src []byte)
}

// safetensorsKind is the form behind a dtype of safetensors; width 0 is one that holds no weights.
func safetensorsKind(dtype string) kind {
	switch dtype {
	case "F64":
		return kind{8, fromDouble}
	case "F32":
		return kind{4, fromSingle}
	case "F16":
		return kind{2, fromHalf}
	case "BF16":
		return kind{2, fromBFloat16}
	}
	return kind{}
}

// storageKind is the form behind a class of PyTorch's storages; width 0 is one of integers.
func storageKind(class string) kind {
	switch class {
	case "DoubleStorage":
		return kind{8, fromDouble}
	case "FloatStorage":
		return kind{4, fromSingle}
	case "HalfStorage":
		return kind{2, fromHalf}
	case "BFloat16Storage":
		return kind{2, fromBFloat16}
	}
	return kind{}
}

// chunkBytes is how much is converted at a time: a multiple of every width, and small enough for a cache.
const chunkBytes = 1 << 18

// read fills dst from r. The chunk is scratch memory to be handed from call to call; it may be nil at first.
func (k kind) read(r io.Reader, dst []float32, chunk []byte) ([]byte, error) {
	for len(dst) > 0 {
		if chunk == nil {
			chunk = make([]byte, chunkBytes)
		}
		n := min(len(dst), len(chunk)/k.width)
		part := chunk[:n*k.width]
		if _, err := io.ReadFull(r, part); err != nil {
			return chunk, err
		}
		k.convert(dst[:n], part)
		dst = dst[n:]
	}
	return chunk, nil
}

// writeFloats writes data as little-endian float32; the chunk is as in kind.read.
func writeFloats(w io.Writer, data []float32, chunk []byte) ([]byte, error) {
	for len(data) > 0 {
		if chunk == nil {
			chunk = make([]byte, chunkBytes)
		}
		n := min(len(data), len(chunk)/4)
		for i, v := range data[:n] {
			binary.LittleEndian.PutUint32(chunk[4*i:], math.Float32bits(v))
		}
		if _, err := w.Write(chunk[:4*n]); err != nil {
			return chunk, err
		}
		data = data[n:]
	}
	return chunk, nil
}

func fromSingle(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func fromDouble(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
	}
}

func fromBFloat16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

func fromHalf(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = widen(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// widen turns an IEEE 754 binary16 into the float32 of the same value: 5 bits of exponent with bias 15 become 8 with
// bias 127, 10 bits of fraction become 23.
func widen(b uint16) float32 {
	sign, exponent, fraction := uint32(b>>15)<<31, uint32(b>>10&31), uint32(b&1023)
	switch {
	case exponent == 31: // infinity, not a number
		return math.Float32frombits(sign | 255<<23 | fraction<<13)
	case exponent == 0: // zero, subnormal: fraction · 2^-24 is exact
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)/(1<<24)))
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
