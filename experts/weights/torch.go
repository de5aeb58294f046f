package weights

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// Limits of an imported checkpoint. The published base model has some 900 tensors and 0.2 MB of pickle.
const (
	maxPickle   = 64 << 20
	maxArchived = 200_000 // members of the archive
)

// ReadTorch reads the tensors of a checkpoint that torch.save wrote as a zip archive: a dictionary with the key
// state_dict, or the state dictionary itself. Everything else in it, such as the optimizer, is passed over. The pickle
// is interpreted by a machine that knows data only: it calls nothing, and a class that it does not know becomes an
// inert value. Storages of double, half and bfloat16 are converted; where they were saved from does not matter.
func ReadTorch(r io.ReaderAt, size int64) (Set, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return Set{}, malformed("archive: %v", err)
	}
	if len(archive.File) > maxArchived {
		return Set{}, malformed("archive has %d members", len(archive.File))
	}
	t := torch{members: make(map[string]*zip.File, len(archive.File)), budget: size, storages: map[string]storage{}}
	var pickled *zip.File
	for _, f := range archive.File {
		t.members[f.Name] = f
		if f.Name == "data.pkl" || strings.HasSuffix(f.Name, "/data.pkl") {
			if pickled != nil {
				return Set{}, malformed("archive holds %s and %s", pickled.Name, f.Name)
			}
			pickled = f
		}
	}
	if pickled == nil {
		return Set{}, malformed("archive has no data.pkl")
	}
	t.root = strings.TrimSuffix(pickled.Name, "data.pkl")
	program, err := t.read(pickled, maxPickle)
	if err != nil {
		return Set{}, err
	}
	if order, ok := t.members[t.root+"byteorder"]; ok {
		if name, err := t.read(order, 16); err != nil || string(name) != "little" {
			return Set{}, malformed("byte order %q, want little", name)
		}
	}
	value, err := unpickle(program)
	if err != nil {
		return Set{}, malformed("pickle: %v", err)
	}
	state, ok := value.(*dict)
	if !ok {
		return Set{}, malformed("checkpoint is not a dictionary")
	}
	if inner, ok := state.get("state_dict").(*dict); ok {
		state = inner
	}
	return t.set(state)
}

type torch struct {
	members  map[string]*zip.File
	root     string
	budget   int64 // bytes that may still be read or expanded to
	storages map[string]storage
}

type storage struct {
	ref  storageRef
	data []float32
}

// read returns the bytes of a member, which must be stored as they are, as torch.save stores them.
func (t *torch) read(f *zip.File, limit uint64) ([]byte, error) {
	if f.Method != zip.Store || f.UncompressedSize64 != f.CompressedSize64 {
		return nil, malformed("%s is compressed", f.Name)
	}
	if f.UncompressedSize64 > limit || int64(f.UncompressedSize64) > t.budget {
		return nil, malformed("%s has %d bytes", f.Name, f.UncompressedSize64)
	}
	t.budget -= int64(f.UncompressedSize64)
	in, err := f.Open()
	if err != nil {
		return nil, malformed("%s: %v", f.Name, err)
	}
	defer in.Close()
	data := make([]byte, f.UncompressedSize64)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, malformed("%s: %v", f.Name, err)
	}
	var one [1]byte
	if _, err := in.Read(one[:]); err != io.EOF { // reaching the end is what checks the CRC
		return nil, malformed("%s: %v", f.Name, err)
	}
	return data, nil
}

// set collects the float tensors of the state dictionary. Tensors of integers, such as counters, carry no weights and
// are passed over.
func (t *torch) set(state *dict) (Set, error) {
	var tensors []Tensor
	total := int64(0)
	limit := t.budget // what all tensors together may hold: views of one storage do not multiply it
	for i, key := range state.keys {
		name, ok := key.(string)
		if !ok {
			return Set{}, malformed("state dictionary: key %d is not a name", i)
		}
		ref, ok := state.values[i].(*tensorRef)
		if !ok || ref.storage.width == 0 {
			continue
		}
		n, err := elements(ref.shape, ref.storage.count)
		if err != nil {
			return Set{}, malformed("tensor %q: %v", name, err)
		}
		if total += int64(n) * 2; total > limit { // two bytes are the narrowest number
			return Set{}, malformed("tensors hold more than the archive")
		}
		data, err := t.storage(ref.storage)
		if err != nil {
			return Set{}, fmt.Errorf("tensor %q: %w", name, err)
		}
		gathered, err := gather(data, ref, n)
		if err != nil {
			return Set{}, malformed("tensor %q: %v", name, err)
		}
		tensors = append(tensors, Tensor{Name: name, Shape: ref.shape, Data: gathered})
	}
	if len(tensors) == 0 {
		return Set{}, malformed("no tensors")
	}
	s, err := New(tensors, nil)
	if err != nil {
		return Set{}, malformed("%v", err)
	}
	return s, nil
}

// storage reads a storage once and converts it to float32.
func (t *torch) storage(ref storageRef) ([]float32, error) {
	if s, ok := t.storages[ref.key]; ok {
		if s.ref != ref {
			return nil, malformed("storage %q is described in two ways", ref.key)
		}
		return s.data, nil
	}
	f, ok := t.members[t.root+"data/"+ref.key]
	if !ok {
		return nil, malformed("storage %q is not in the archive", ref.key)
	}
	if f.UncompressedSize64 != uint64(ref.count)*uint64(ref.width) {
		return nil, malformed("storage %q has %d bytes, want %d numbers of %d", ref.key, f.UncompressedSize64, ref.count, ref.width)
	}
	raw, err := t.read(f, f.UncompressedSize64)
	if err != nil {
		return nil, err
	}
	data := make([]float32, ref.count)
	for i := range data {
		b := raw[i*ref.width:]
		switch ref.kind {
		case "DoubleStorage":
			data[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		case "FloatStorage":
			data[i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
		case "HalfStorage":
			data[i] = half(binary.LittleEndian.Uint16(b))
		case "BFloat16Storage":
			data[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16)
		}
	}
	t.storages[ref.key] = storage{ref: ref, data: data}
	return data, nil
}

// half widens an IEEE 754 binary16.
func half(b uint16) float32 {
	exponent, fraction := int(b>>10&31), float64(b&1023)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(fraction, -24)
	case 31:
		v = math.Inf(1)
		if fraction != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(1024+fraction, exponent-25)
	}
	if b>>15 != 0 {
		v = -v
	}
	return float32(v)
}

// gather copies the n elements that a tensor's offset and strides select.
func gather(data []float32, t *tensorRef, n int) ([]float32, error) {
	if n == 0 {
		return []float32{}, nil
	}
	lastIndex := t.offset
	contiguous := true
	expected := 1
	for a := len(t.shape) - 1; a >= 0; a-- {
		if t.shape[a] > 1 {
			if t.stride[a] < 0 || t.stride[a] > len(data) {
				return nil, fmt.Errorf("stride %d", t.stride[a])
			}
			lastIndex += (t.shape[a] - 1) * t.stride[a]
			contiguous = contiguous && t.stride[a] == expected
		}
		expected *= t.shape[a]
	}
	if t.offset < 0 || t.offset >= len(data) || lastIndex >= len(data) || lastIndex < 0 {
		return nil, fmt.Errorf("elements up to %d of %d", lastIndex, len(data))
	}
	out := make([]float32, n)
	if contiguous {
		copy(out, data[t.offset:])
		return out, nil
	}
	index := make([]int, len(t.shape))
	for i := range out {
		at := t.offset
		for a, k := range index {
			at += k * t.stride[a]
		}
		out[i] = data[at]
		for a := len(index) - 1; a >= 0; a-- {
			if index[a]++; index[a] < t.shape[a] {
				break
			}
			index[a] = 0
		}
	}
	return out, nil
}
