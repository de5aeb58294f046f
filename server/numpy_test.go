package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npz"
)

// npyBytes is a file of numpy.save with the given header and data bytes.
func npyBytes(dtype, fortran, shape string, data int) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", dtype, fortran, shape)
	raw := append([]byte("\x93NUMPY\x01\x00"), binary.LittleEndian.AppendUint16(nil, uint16(len(header)))...)
	return append(append(raw, header...), make([]byte, data)...)
}

func TestNPYRoundTrip(t *testing.T) {
	data := []float32{1, -2.5, float32(math.Inf(1)), 4, 5, 6, 7, 8, 9, 10, 11, 12}
	for _, c := range []struct {
		shape, want []int
		batch       int
	}{
		{[]int{2, 3, 2}, []int{3, 2}, 2},
		{[]int{3, 4}, []int{3, 4}, 1},
		{[]int{12}, []int{12}, 1},
	} {
		var file bytes.Buffer
		if err := writeNPY(&file, c.shape, data); err != nil {
			t.Fatal(err)
		}
		if start := bytes.IndexByte(file.Bytes(), '\n') + 1; start%64 != 0 {
			t.Errorf("shape %v: data begin at byte %d, want a multiple of 64", c.shape, start)
		}
		got, batch, err := decodeNPY(&file, int64(file.Len()), c.want)
		if err != nil || batch != c.batch || !slices.Equal(got, data) {
			t.Errorf("shape %v read as %v: got %v, batch %d, error %v", c.shape, c.want, got, batch, err)
		}
	}
	big := npyBytes(">f4", "False", "(1, 2)", 0)
	big = binary.BigEndian.AppendUint32(big, math.Float32bits(3))
	big = binary.BigEndian.AppendUint32(big, math.Float32bits(-4))
	if got, _, err := decodeNPY(bytes.NewReader(big), int64(len(big)), []int{2}); err != nil || !slices.Equal(got, []float32{3, -4}) {
		t.Errorf("big-endian: got %v, error %v", got, err)
	}
}

func TestNPYRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"double", npyBytes("<f8", "False", "(1, 2, 3)", 48), "astype"},
		{"Fortran order", npyBytes("<f4", "True", "(1, 2, 3)", 24), "ascontiguousarray"},
		{"another shape", npyBytes("<f4", "False", "(1, 3, 2)", 24), "box"},
		{"an axis too many", npyBytes("<f4", "False", "(1, 1, 2, 3)", 24), "box"},
		{"no cases", npyBytes("<f4", "False", "(0, 2, 3)", 0), "box"},
		{"cut off", npyBytes("<f4", "False", "(1, 2, 3)", 20)[:90], "cut off"},
		{"a size beyond the file", npyBytes("<f4", "False", "(4611686018427387904, 2, 3)", 24), "bytes"},
		{"no header", []byte("\x93NUMPY\x01\x00\x00\x00"), "numpy.save"},
		{"something else", []byte("hello, world"), "numpy.save"},
		{"nothing", nil, "numpy.save"},
	} {
		_, _, err := decodeNPY(bytes.NewReader(c.raw), int64(len(c.raw)), []int{2, 3})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestNPZIsReadBack(t *testing.T) {
	var file bytes.Buffer
	if err := writeNPZ(&file, []array{{"a.b", []int{2}, []float32{1, 2}}, {"c", []int{1, 1, 1}, []float32{3}}}); err != nil {
		t.Fatal(err)
	}
	r, err := npz.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var got []float32
	if err := r.Read("a.b.npy", &got); err != nil || !slices.Equal(got, []float32{1, 2}) {
		t.Errorf("a.b: got %v, error %v", got, err)
	}
	if shape := r.Header("c.npy").Descr.Shape; !slices.Equal(shape, []int{1, 1, 1}) {
		t.Errorf("c has shape %v", shape)
	}
}

func FuzzNPY(f *testing.F) {
	f.Add(npyBytes("<f4", "False", "(1, 2, 3)", 24))
	f.Add(npyBytes("<f4", "True", "(2, 3)", 24))
	f.Add(npyBytes(">f4", "False", "(9, 2, 3)", 216))
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff{"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		data, batch, err := decodeNPY(bytes.NewReader(raw), int64(len(raw)), []int{2, 3})
		if err == nil && (len(data) != 6*batch || 4*len(data) > len(raw)) {
			t.Fatalf("%d numbers in %d cases from %d bytes", len(data), batch, len(raw))
		}
	})
}
