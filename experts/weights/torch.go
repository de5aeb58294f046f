package weights

import (
	"archive/zip"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
)

// Limits of an imported checkpoint. The published base model has some 900 tensors and 0.2 MB of pickle, of which a byte
// becomes at most some 50 bytes of values.
const (
	maxPickle   = 16 << 20
	maxArchived = 200_000 // members of the archive
)

// ReadTorch reads the tensors of a checkpoint that torch.save wrote as a zip archive: the state dictionary itself, or
// a dictionary that holds it under state_dict, model_state_dict, model or module. A prefix module. or model. that all
// names have is taken off. Everything else in the file, such as the optimizer, is passed over and its bytes are not
// read, as are tensors of integers, such as counters. A dictionary of texts under metadata becomes the Set's.
//
// The pickle is interpreted by a machine that knows data only: it calls nothing, and a class or function that has no
// place in a checkpoint is refused by name. Storages of double, half and bfloat16 are converted; where they were saved
// from does not matter. What is allocated is bounded by a small multiple of size.
func ReadTorch(r io.ReaderAt, size int64) (Set, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return Set{}, malformed("archive: %v", err)
	}
	if len(archive.File) > maxArchived {
		return Set{}, malformed("archive has %d members", len(archive.File))
	}
	t := torch{from: r, size: size, members: make(map[string]*zip.File, len(archive.File)), checked: map[string]bool{}}
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
		return Set{}, malformed("archive has no data.pkl: not a checkpoint of torch.save, or one of before version 1.6; resave it with %s", Resave)
	}
	t.root = strings.TrimSuffix(pickled.Name, "data.pkl")
	program, err := t.small(pickled, maxPickle)
	if err != nil {
		return Set{}, err
	}
	if order, ok := t.members[t.root+"byteorder"]; ok {
		if name, err := t.small(order, 16); err != nil || string(name) != "little" {
			return Set{}, malformed("byte order %q, want little", name)
		}
	}
	value, err := unpickle(program)
	if err != nil {
		return Set{}, malformed("pickle: %v", err)
	}
	top, ok := value.(*dict)
	if !ok {
		return Set{}, malformed("checkpoint is not a dictionary; save the model's state_dict()")
	}
	state := top
	for _, key := range []string{"state_dict", "model_state_dict", "model", "module"} {
		if inner, ok := top.get(key).(*dict); ok {
			state = inner
			break
		}
	}
	return t.set(state, texts(top.get("metadata")))
}

// texts are a dictionary of texts, or nil where it is anything else.
func texts(v any) map[string]string {
	d, ok := v.(*dict)
	if !ok {
		return nil
	}
	out := make(map[string]string, len(d.keys))
	for i, key := range d.keys {
		k, ok1 := key.(string)
		v, ok2 := d.values[i].(string)
		if !ok1 || !ok2 {
			return nil
		}
		out[k] = v
	}
	return out
}

// torch is an archive that is being read.
type torch struct {
	from    io.ReaderAt
	size    int64 // of the archive
	members map[string]*zip.File
	root    string
	checked map[string]bool // storages whose checksum was seen to be right
	chunk   []byte
	read    int64 // bytes of storages read so far, or allocated for them
}

// stored refuses a member that is compressed, which torch.save never does, and answers where it lies.
func (t *torch) stored(f *zip.File) (*io.SectionReader, error) {
	if f.Method != zip.Store || f.UncompressedSize64 != f.CompressedSize64 {
		return nil, malformed("%s is compressed", f.Name)
	}
	at, err := f.DataOffset()
	if err != nil {
		return nil, malformed("%s: %v", f.Name, err)
	}
	if at < 0 || at > t.size || f.UncompressedSize64 > uint64(t.size-at) {
		return nil, malformed("%s has %d bytes from byte %d of %d", f.Name, f.UncompressedSize64, at, t.size)
	}
	return io.NewSectionReader(t.from, at, int64(f.UncompressedSize64)), nil
}

// small returns the bytes of a member.
func (t *torch) small(f *zip.File, limit uint64) ([]byte, error) {
	in, err := t.stored(f)
	if err != nil {
		return nil, err
	}
	if f.UncompressedSize64 > limit {
		return nil, malformed("%s has %d bytes", f.Name, f.UncompressedSize64)
	}
	data := make([]byte, f.UncompressedSize64)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, malformed("%s: %v", f.Name, err)
	}
	if crc32.ChecksumIEEE(data) != f.CRC32 {
		return nil, damaged(f)
	}
	return data, nil
}

func damaged(f *zip.File) error {
	return malformed("%s does not have its checksum: the file is damaged, or was saved without checksums", f.Name)
}

// set collects the tensors of the state dictionary.
func (t *torch) set(state *dict, metadata map[string]string) (Set, error) {
	var tensors []Tensor
	for i, key := range state.keys {
		ref, ok := state.values[i].(*tensorRef)
		if !ok {
			continue
		}
		name, ok := key.(string)
		if !ok {
			return Set{}, malformed("state dictionary: key %d is not a name", i)
		}
		if storageKind(ref.storage.class).width == 0 {
			continue
		}
		data, err := t.tensor(ref)
		if err != nil {
			return Set{}, fmt.Errorf("tensor %q: %w", name, err)
		}
		tensors = append(tensors, Tensor{Name: name, Shape: ref.shape, Data: data})
	}
	if len(tensors) == 0 {
		return Set{}, malformed("no tensors in the dictionary, nor under state_dict or model")
	}
	stripPrefixes(tensors)
	s, err := New(tensors, metadata)
	if err != nil {
		return Set{}, malformed("%v", err)
	}
	return s, nil
}

// stripPrefixes takes off what wrappers put in front of all names.
func stripPrefixes(tensors []Tensor) {
	for again := true; again; {
		again = false
		for _, prefix := range []string{"module.", "model."} {
			if slices.ContainsFunc(tensors, func(t Tensor) bool { return !strings.HasPrefix(t.Name, prefix) }) {
				continue
			}
			for i := range tensors {
				tensors[i].Name = tensors[i].Name[len(prefix):]
			}
			again = true
		}
	}
}

// tensor reads the numbers that a tensor selects from its storage. Those that lie side by side go straight into the
// tensor's memory; others come through a copy of the part of the storage that they span.
func (t *torch) tensor(ref *tensorRef) ([]float32, error) {
	k := storageKind(ref.storage.class)
	f, ok := t.members[t.root+"data/"+ref.storage.key]
	if !ok {
		return nil, malformed("storage %q is not in the archive", ref.storage.key)
	}
	in, err := t.stored(f)
	if err != nil {
		return nil, err
	}
	count := ref.storage.count
	if uint64(count) > uint64(t.size)/uint64(k.width) || in.Size() != int64(count)*int64(k.width) {
		return nil, malformed("storage %q has %d bytes, want %d numbers of %d", ref.storage.key, in.Size(), count, k.width)
	}
	n, err := elements(ref.shape, count)
	if err != nil {
		return nil, malformed("%v", err)
	}
	if n == 0 {
		return []float32{}, nil
	}
	span, contiguous, err := ref.span(count)
	if err != nil {
		return nil, malformed("%v", err)
	}
	if err := t.charge(max(n, span) * k.width); err != nil {
		return nil, err
	}
	data := make([]float32, span)
	if span == count && !t.checked[f.Name] {
		sum := crc32.NewIEEE()
		t.chunk, err = k.read(io.TeeReader(in, sum), data, t.chunk)
		if err == nil && sum.Sum32() != f.CRC32 {
			return nil, damaged(f)
		}
		t.checked[f.Name] = true
	} else {
		if err := t.check(f, in); err != nil {
			return nil, err
		}
		part := io.NewSectionReader(in, int64(ref.offset)*int64(k.width), int64(span)*int64(k.width))
		t.chunk, err = k.read(part, data, t.chunk)
	}
	if err != nil {
		return nil, malformed("storage %q: %v", ref.storage.key, err)
	}
	if contiguous {
		return data, nil
	}
	return gather(data, ref, n), nil
}

// charge counts what is read and allocated: views of one storage must not multiply it at will.
func (t *torch) charge(bytes int) error {
	if t.read += int64(bytes); t.read > 8*t.size {
		return malformed("tensors share their storages more often than is plausible")
	}
	return nil
}

// check compares a storage's checksum by reading it once, for tensors that do not read all of it.
func (t *torch) check(f *zip.File, in *io.SectionReader) error {
	if t.checked[f.Name] {
		return nil
	}
	if err := t.charge(int(in.Size())); err != nil {
		return err
	}
	sum := crc32.NewIEEE()
	if _, err := io.Copy(sum, io.NewSectionReader(in, 0, in.Size())); err != nil {
		return malformed("%s: %v", f.Name, err)
	}
	if sum.Sum32() != f.CRC32 {
		return damaged(f)
	}
	t.checked[f.Name] = true
	return nil
}

// span is how many numbers of its storage of count a tensor of at least one element reaches over, from its offset on,
// and whether it takes them all, one after the other.
func (ref *tensorRef) span(count int) (span int, contiguous bool, err error) {
	contiguous = true
	last, expected := ref.offset, 1
	for a := len(ref.shape) - 1; a >= 0; a-- {
		if ref.shape[a] > 1 {
			if ref.stride[a] < 0 || ref.stride[a] > count/(ref.shape[a]-1) { // so that the sum over axes cannot overflow
				return 0, false, fmt.Errorf("stride %d in a storage of %d numbers", ref.stride[a], count)
			}
			last += (ref.shape[a] - 1) * ref.stride[a]
			contiguous = contiguous && ref.stride[a] == expected
		}
		expected *= ref.shape[a]
	}
	if ref.offset < 0 || ref.offset >= count || last >= count || last < 0 {
		return 0, false, fmt.Errorf("elements up to %d of %d", last, count)
	}
	return last - ref.offset + 1, contiguous, nil
}

// gather copies the n elements that a tensor's strides select from the part of the storage that it spans.
func gather(data []float32, t *tensorRef, n int) []float32 {
	out := make([]float32, n)
	index := make([]int, len(t.shape))
	for i := range out {
		at := 0
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
	return out
}
