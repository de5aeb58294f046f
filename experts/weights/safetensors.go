package weights

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
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
// data (https://huggingface.co/docs/safetensors). Only dtype F32 is taken. The header must describe the data exactly:
// no gaps, no overlap, no bytes left; this is checked before anything is allocated for the data.
func ReadSafetensors(r io.Reader, size int64) (Set, error) {
	var prefix [8]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return Set{}, malformed("no header length: %v", err)
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > maxHeader || int64(n) > size-8 {
		return Set{}, malformed("header of %d bytes in a file of %d", n, size)
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
	in := bufio.NewReaderSize(r, 1<<16)
	for _, i := range order {
		e := entries[i]
		data, err := readFloats(in, int(e.Offsets[1]-e.Offsets[0])/4)
		if err != nil {
			return Set{}, malformed("tensor %q: %v", names[i], err)
		}
		tensors[i] = Tensor{Name: names[i], Shape: e.Shape, Data: data}
	}
	if _, err := in.ReadByte(); err != io.EOF {
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
		if e.DType != "F32" {
			return malformed("tensor %q: dtype %q, want F32", names[i], e.DType)
		}
		if e.Offsets[0] > e.Offsets[1] || e.Offsets[1] > dataBytes {
			return malformed("tensor %q: bytes %d to %d of %d", names[i], e.Offsets[0], e.Offsets[1], dataBytes)
		}
		span := e.Offsets[1] - e.Offsets[0]
		n, err := elements(e.Shape, int(dataBytes/4))
		if err != nil || uint64(n)*4 != span {
			return malformed("tensor %q: shape %v in %d bytes", names[i], e.Shape, span)
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

// readFloats reads n little-endian float32. It allocates as the bytes arrive: a size from a header is a claim.
func readFloats(r io.Reader, n int) ([]float32, error) {
	const chunk = 1 << 20
	data := make([]float32, 0, min(n, chunk))
	buf := make([]byte, 4*min(n, chunk))
	for len(data) < n {
		part := buf[:4*min(n-len(data), chunk)]
		if _, err := io.ReadFull(r, part); err != nil {
			return nil, err
		}
		data = slices.Grow(data, len(part)/4)
		for i := 0; i < len(part); i += 4 {
			data = append(data, math.Float32frombits(binary.LittleEndian.Uint32(part[i:])))
		}
	}
	return data, nil
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
	out := bufio.NewWriterSize(w, 1<<16)
	var word [8]byte
	binary.LittleEndian.PutUint64(word[:], uint64(header.Len()))
	out.Write(word[:])
	out.Write(header.Bytes())
	for _, t := range s.tensors {
		for _, v := range t.Data {
			binary.LittleEndian.PutUint32(word[:4], math.Float32bits(v))
			out.Write(word[:4])
		}
	}
	return out.Flush() // the first failed write, if any
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
