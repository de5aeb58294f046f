// Package weights holds the named tensors of a model with what must be known about them: where they came from, under
// which licence, and the few settings that shapes cannot tell. It reads and writes safetensors files, which are the
// native form, and PyTorch checkpoints, of which it executes nothing. Numbers are read straight into the memory they
// stay in, so a file of a gigabyte needs a gigabyte. Which names and shapes make a network is for package nn to say.
package weights

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Keys of the metadata that this project reads or writes. Values are free text unless a format is given.
const (
	Origin         = "origin"          // who trained what on what
	Licence        = "licence"         // SPDX identifier or sentence
	Source         = "source"          // name of the file that the tensors were imported from
	SourceSHA256   = "source_sha256"   // of that file's bytes, 64 hexadecimal digits
	Task           = "task"            // what the classes are about, such as "diagnosis", "TNBC", "pCR" or "subtype"
	Classes        = "classes"         // names of the classes in the head's order, comma-separated
	DataCard       = "data_card"       // what the training data were, and what they were not
	TrainedOn      = "trained_on"      // one sentence for reports, such as "digital phantoms"
	Seed           = "seed"            // decimal
	SHA256         = "sha256"          // of the tensors, 64 hexadecimal digits; see Set.SHA256
	OperatingPoint = "operating_point" // probability from which a finding is called, decimal
	Temperature    = "temperature"     // logits are divided by it before softmax, decimal, positive
	Heads          = "heads"           // attention heads, decimal
	// Box and FieldOfView are followed by a modality in lower case: box.dce = "6,64,48,32" is channels, H, W, D in
	// voxels; fov_mm.dce = "320,240,160" is the extent of H, W, D in mm.
	Box         = "box."
	FieldOfView = "fov_mm."
	// Absolute, too, is followed by a modality: absolute.dwi = "1,12" says that the last channel is read against a mark of
	// its own, within a window of 12 mm.
	Absolute = "absolute."
)

// Tensor is a named array of float32, row-major, last axis fastest. An empty shape is a scalar.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// Set is an ordered collection of tensors with distinct names, and their metadata. The zero Set is empty. Copies of
// a Set share tensors and metadata.
type Set struct {
	Metadata map[string]string
	tensors  []Tensor
	index    map[string]int
}

// New makes a Set that takes over the tensors and a copy of the metadata. It refuses an empty or repeated name, and a
// shape that does not fit the data.
func New(tensors []Tensor, metadata map[string]string) (Set, error) {
	s := Set{Metadata: maps.Clone(metadata), tensors: tensors, index: make(map[string]int, len(tensors))}
	if s.Metadata == nil {
		s.Metadata = map[string]string{}
	}
	for i, t := range tensors {
		if t.Name == "" {
			return Set{}, fmt.Errorf("tensor %d has no name", i)
		}
		if _, ok := s.index[t.Name]; ok {
			return Set{}, fmt.Errorf("tensor %q appears twice", t.Name)
		}
		n, err := elements(t.Shape, len(t.Data))
		if err != nil || n != len(t.Data) {
			return Set{}, fmt.Errorf("tensor %q: shape %v does not hold %d numbers", t.Name, t.Shape, len(t.Data))
		}
		s.index[t.Name] = i
	}
	return s, nil
}

// elements multiplies a shape out and refuses products beyond limit, negative sizes and overflow.
func elements(shape []int, limit int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative size", shape)
		}
		if d == 0 {
			return 0, nil
		}
	}
	for _, d := range shape {
		if n > limit/d {
			return 0, fmt.Errorf("shape %v holds more than %d numbers", shape, limit)
		}
		n *= d
	}
	return n, nil
}

// Len is the number of tensors.
func (s Set) Len() int { return len(s.tensors) }

// All returns the tensors in order. The slice is the Set's own.
func (s Set) All() []Tensor { return s.tensors }

// Tensor finds a tensor by name.
func (s Set) Tensor(name string) (Tensor, bool) {
	i, ok := s.index[name]
	if !ok {
		return Tensor{}, false
	}
	return s.tensors[i], true
}

// Parameters is the number of numbers in all tensors.
func (s Set) Parameters() int {
	n := 0
	for _, t := range s.tensors {
		n += len(t.Data)
	}
	return n
}

// Clone copies tensors and metadata, so that either can change without the other.
func (s Set) Clone() Set {
	all := make([]Tensor, len(s.tensors))
	for i, t := range s.tensors {
		all[i] = Tensor{Name: t.Name, Shape: slices.Clone(t.Shape), Data: slices.Clone(t.Data)}
	}
	return Set{Metadata: maps.Clone(s.Metadata), tensors: all, index: maps.Clone(s.index)}
}

// NonFinite finds the first number that is infinite or not a number: the tensor's name and the number's place in it.
func (s Set) NonFinite() (name string, index int, found bool) {
	for _, t := range s.tensors {
		for i, v := range t.Data {
			if v-v != 0 { // true of infinities and NaN alone
				return t.Name, i, true
			}
		}
	}
	return "", 0, false
}

// CheckHash compares the tensors with the hash in the metadata, if there is one. The error wraps ErrFormat.
func (s Set) CheckHash() error {
	want := s.Metadata[SHA256]
	if want == "" {
		return nil
	}
	if got := s.SHA256(); got != want {
		return malformed("tensors hash to %s, the file says %s", got, want)
	}
	return nil
}

// SHA256 is the hash of names, shapes and numbers as 64 hexadecimal digits. It depends neither on the order of the
// tensors nor on the metadata, so a file that was only annotated is still the same model.
func (s Set) SHA256() string {
	h := sha256.New()
	names := slices.Sorted(maps.Keys(s.index))
	buf := make([]byte, 0, 1<<16)
	for _, name := range names {
		t := s.tensors[s.index[name]]
		buf = binary.LittleEndian.AppendUint64(buf[:0], uint64(len(name)))
		buf = append(buf, name...)
		buf = binary.LittleEndian.AppendUint64(buf, uint64(len(t.Shape)))
		for _, d := range t.Shape {
			buf = binary.LittleEndian.AppendUint64(buf, uint64(d))
		}
		for _, v := range t.Data {
			if len(buf) >= 1<<16-8 {
				h.Write(buf)
				buf = buf[:0]
			}
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))
}
