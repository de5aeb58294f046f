package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// maxHeader bounds the JSON header, as the reference implementation of the format does (100 MB there); a million
// tensors need less than a tenth of it.
const maxHeader = 16 << 20

// ErrFormat is wrapped by every error that says that a file is not what it claims to be.
var ErrFormat = errors.New("malformed weights")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

type entry struct {
	DType   string    `json:"dtype"`
	Shape   []int     `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`
}

// ReadSafetensors reads a file of the given size in bytes: an 8-byte little-endian header length, a JSON header, the
// data (https://huggingface.co/docs/safetensors). F32 is taken as it is, F64, F16 and BF16 are converted, other dtypes
// are refused. The header must describe the data exactly: no gaps, no overlap, no bytes left; this is checked before
// anything is allocated for the data, so that at most size bytes are allocated, or twice that for F16 and BF16.
func ReadSafetensors(r io.Reader, size int64) (Set, error) {
	var prefix [8]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return Set{}, malformed("no header length: %v", err)
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > maxHeader || int64(n) > size-8 {
		return Set{}, malformed("header of %d bytes in a file of %d: neither safetensors nor a PyTorch checkpoint, or cut off", n, size)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return Set{}, malformed("header: %v", err)
	}
	names, entries, metadata, err := parseHeader(header)
	if err != nil {
		return Set{}, err
	}
	if err := checkEntries(names, entries, uint64(size)-8-n); err != nil {
		return Set{}, err
	}
	tensors := make([]Tensor, len(names))
	// Data lie in the order of their offsets, which need not be the order of the header.
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(entries[a].Offsets[0]) - int(entries[b].Offsets[0]) })
	var chunk []byte
	for _, i := range order {
		e := entries[i]
		kind := safetensorsKind(e.DType)
		data := make([]float32, int(e.Offsets[1]-e.Offsets[0])/kind.width)
		if chunk, err = kind.read(r, data, chunk); err != nil {
			return Set{}, malformed("tensor %q: %v", names[i], err)
		}
		tensors[i] = Tensor{Name: names[i], Shape: e.Shape, Data: data}
	}
	if n, _ := io.ReadFull(r, prefix[:1]); n > 0 {
		return Set{}, malformed("bytes after the last tensor")
	}
	s, err := New(tensors, metadata)
	if err != nil {
		return Set{}, malformed("%v", err)
	}
	return s, nil
}

// parseHeader reads the header token by token: a map would lose order and hide repeated names.
func parseHeader(header []byte) (names []string, entries []entry, metadata map[string]string, err error) {
	d := json.NewDecoder(bytes.NewReader(header))
	d.DisallowUnknownFields()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, nil, malformed("header is not a JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, nil, nil, malformed("header: %v", err)
		}
		name, _ := t.(string)
		if seen[name] {
			return nil, nil, nil, malformed("header names %q twice", name)
		}
		seen[name] = true
		if name == "__metadata__" {
			if err := d.Decode(&metadata); err != nil {
				return nil, nil, nil, malformed("metadata: %v", err)
			}
			continue
		}
		var e entry
		if err := d.Decode(&e); err != nil {
			return nil, nil, nil, malformed("tensor %q: %v", name, err)
		}
		names, entries = append(names, name), append(entries, e)
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, nil, malformed("header: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, nil, malformed("text after the header's object")
	}
	return names, entries, metadata, nil
}

// checkEntries says whether the tensors cover the data bytes exactly.
func checkEntries(names []string, entries []entry, dataBytes uint64) error {
	order := make([]int, len(entries))
	for i, e := range entries {
		order[i] = i
		kind := safetensorsKind(e.DType)
		if kind.width == 0 {
			return malformed("tensor %q: dtype %q is no kind of weights, want F32, F64, F16 or BF16", names[i], e.DType)
		}
		if e.Offsets[0] > e.Offsets[1] || e.Offsets[1] > dataBytes {
			return malformed("tensor %q: bytes %d to %d of %d", names[i], e.Offsets[0], e.Offsets[1], dataBytes)
		}
		span := e.Offsets[1] - e.Offsets[0]
		n, err := elements(e.Shape, int(dataBytes)/kind.width)
		if err != nil || uint64(n*kind.width) != span {
			return malformed("tensor %q: shape %v of %s in %d bytes", names[i], e.Shape, e.DType, span)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if c := int(entries[a].Offsets[0]) - int(entries[b].Offsets[0]); c != 0 {
			return c
		}
		return int(entries[a].Offsets[1]) - int(entries[b].Offsets[1])
	})
	at := uint64(0)
	for _, i := range order {
		if entries[i].Offsets[0] != at {
			return malformed("tensor %q starts at byte %d, want %d", names[i], entries[i].Offsets[0], at)
		}
		at = entries[i].Offsets[1]
	}
	if at != dataBytes {
		return malformed("tensors end at byte %d of %d", at, dataBytes)
	}
	return nil
}

// WriteSafetensors writes the tensors in order, with the metadata and the tensors' hash under SHA256. Equal sets give
// equal bytes.
func (s Set) WriteSafetensors(w io.Writer) error {
	metadata := maps.Clone(s.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	metadata[SHA256] = s.SHA256()
	var header bytes.Buffer
	header.WriteString(`{"__metadata__":`)
	if err := appendJSON(&header, metadata); err != nil {
		return err
	}
	at := uint64(0)
	for _, t := range s.tensors {
		if t.Name == "__metadata__" {
			return fmt.Errorf("tensor %q: the name is reserved", t.Name)
		}
		header.WriteByte(',')
		if err := appendJSON(&header, t.Name); err != nil {
			return err
		}
		header.WriteByte(':')
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		end := at + 4*uint64(len(t.Data))
		if err := appendJSON(&header, entry{DType: "F32", Shape: shape, Offsets: [2]uint64{at, end}}); err != nil {
			return err
		}
		at = end
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 {
		header.WriteByte(' ') // data start on a multiple of 8, as the format recommends
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(header.Len()))); err != nil {
		return err
	}
	if _, err := w.Write(header.Bytes()); err != nil {
		return err
	}
	var chunk []byte
	for _, t := range s.tensors {
		var err error
		if chunk, err = writeFloats(w, t.Data, chunk); err != nil {
			return err
		}
	}
	return nil
}

// appendJSON writes v without the escapes that encoding/json adds for HTML.
func appendJSON(buf *bytes.Buffer, v any) error {
	e := json.NewEncoder(buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	buf.Truncate(buf.Len() - 1) // the encoder's newline
	return nil
}
