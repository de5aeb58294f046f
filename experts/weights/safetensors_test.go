package weights_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mome/experts/weights"
)

func sample(t testing.TB) weights.Set {
	t.Helper()
	s, err := weights.New([]weights.Tensor{
		{Name: "b", Shape: []int{2, 3}, Data: []float32{1, -2, 3, -4, 5, 6e-40}},
		{Name: "a <é>", Shape: []int{}, Data: []float32{7}},
		{Name: "empty", Shape: []int{0, 4}, Data: nil},
	}, map[string]string{weights.Licence: "Apache-2.0", "note": "<&>"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func written(t testing.TB, s weights.Set) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := s.WriteSafetensors(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// file is a safetensors file of a header and some data bytes.
func file(header string, data int) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), make([]byte, data)...)
}

func TestSafetensorsKeepsEverything(t *testing.T) {
	s := sample(t)
	raw := written(t, s)
	got, err := weights.ReadSafetensors(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range s.All() {
		tensor := got.All()[i]
		if tensor.Name != want.Name || !slices.Equal(tensor.Shape, want.Shape) || !slices.Equal(tensor.Data, want.Data) {
			t.Errorf("tensor %d: got %+v, want %+v", i, tensor, want)
		}
	}
	if got.Metadata[weights.Licence] != "Apache-2.0" || got.Metadata["note"] != "<&>" || got.Metadata[weights.SHA256] != s.SHA256() {
		t.Errorf("metadata %v", got.Metadata)
	}
	if again := written(t, got); !bytes.Equal(again, raw) {
		t.Error("written, read and written again is another file")
	}
	if start := 8 + binary.LittleEndian.Uint64(raw); start%8 != 0 {
		t.Errorf("data begin at byte %d, want a multiple of 8", start)
	}
}

func TestSafetensorsRefuses(t *testing.T) {
	entry := func(dtype, shape, offsets string) string {
		return `{"dtype":"` + dtype + `","shape":` + shape + `,"data_offsets":` + offsets + `}`
	}
	f32 := entry("F32", "[2]", "[0,8]")
	for _, c := range []struct {
		name string
		raw  []byte
	}{
		{"nothing", nil},
		{"half a length", []byte{1, 2, 3}},
		{"header beyond the file", binary.LittleEndian.AppendUint64(nil, 1<<40)},
		{"no JSON", file("xyz", 0)},
		{"a JSON list", file("[]", 0)},
		{"unfinished JSON", file(`{"a":`+f32, 8)},
		{"text after the object", file(`{}{}`, 0)},
		{"integers", file(`{"a":`+entry("I64", "[1]", "[0,8]")+`}`, 8)},
		{"half precision of another size", file(`{"a":`+entry("F16", "[2]", "[0,8]")+`}`, 8)},
		{"unknown key", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}`, 8)},
		{"a name twice", file(`{"a":`+f32+`,"a":`+entry("F32", "[2]", "[8,16]")+`}`, 16)},
		{"no name", file(`{"":`+f32+`}`, 8)},
		{"too short for its shape", file(`{"a":`+entry("F32", "[3]", "[0,8]")+`}`, 8)},
		{"shape that overflows", file(`{"a":`+entry("F32", "[4294967296,4294967296]", "[0,0]")+`}`, 0)},
		{"negative size", file(`{"a":`+entry("F32", "[-1,-2]", "[0,8]")+`}`, 8)},
		{"negative offset", file(`{"a":`+entry("F32", "[2]", "[-8,0]")+`}`, 8)},
		{"offsets reversed", file(`{"a":`+entry("F32", "[2]", "[8,0]")+`}`, 8)},
		{"offset beyond the file", file(`{"a":`+entry("F32", "[4]", "[0,16]")+`}`, 8)},
		{"overlap", file(`{"a":`+f32+`,"b":`+entry("F32", "[2]", "[4,12]")+`}`, 12)},
		{"gap", file(`{"a":`+f32+`,"b":`+entry("F32", "[2]", "[12,20]")+`}`, 20)},
		{"bytes left over", file(`{"a":`+f32+`}`, 12)},
		{"metadata of numbers", file(`{"__metadata__":{"a":1}}`, 0)},
	} {
		if _, err := weights.ReadSafetensors(bytes.NewReader(c.raw), int64(len(c.raw))); !errors.Is(err, weights.ErrFormat) {
			t.Errorf("%s: error %v, want ErrFormat", c.name, err)
		}
	}
	raw := file(`{"a":`+f32+`}`, 8)
	if _, err := weights.ReadSafetensors(bytes.NewReader(raw[:len(raw)-1]), int64(len(raw))); !errors.Is(err, weights.ErrFormat) {
		t.Errorf("file shorter than its size: error %v, want ErrFormat", err)
	}
}

func TestSafetensorsReadsAnyOrder(t *testing.T) {
	raw := file(`{"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  `, 0)
	raw = append(raw, 0, 0, 128, 63, 0, 0, 0, 64) // 1, 2
	s, err := weights.ReadSafetensors(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := s.Tensor("a")
	b, _ := s.Tensor("b")
	if a.Data[0] != 1 || b.Data[0] != 2 || s.All()[0].Name != "b" {
		t.Errorf("a %v, b %v, first %q; want 1, 2 and b", a.Data, b.Data, s.All()[0].Name)
	}
}

func TestSafetensorsConverts(t *testing.T) {
	header := `{"d":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"h":{"dtype":"F16","shape":[3],"data_offsets":[8,14]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[14,16]}}`
	raw := file(header, 0)
	raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(0.1))
	raw = append(raw, 0x00, 0xbc, 0x55, 0x35, 0xff, 0x03) // -1, 0.33325, the largest subnormal
	raw = append(raw, 0x40, 0xc0)                         // -3
	s, err := weights.ReadSafetensors(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]float32{"d": {float32(0.1)}, "h": {-1, 1365.0 / 4096, 1023.0 / (1 << 24)}, "b": {-3}} {
		if got, _ := s.Tensor(name); !slices.Equal(got.Data, want) {
			t.Errorf("%s: got %v, want %v", name, got.Data, want)
		}
	}
}

// What a file of n bytes holds is allocated once, besides a buffer; 1.16 GB of weights must not need 2.3 GB.
func TestReadingAllocatesTheTensorsAlone(t *testing.T) {
	const floats = 4 << 20
	big, err := weights.New([]weights.Tensor{
		{Name: "a", Shape: []int{floats / 2}, Data: make([]float32, floats/2)},
		{Name: "b", Shape: []int{2, floats / 4}, Data: make([]float32, floats/2)},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		write func(io.Writer) error
		read  func([]byte) (weights.Set, error)
	}{
		{"safetensors", big.WriteSafetensors, func(raw []byte) (weights.Set, error) {
			return weights.ReadSafetensors(bytes.NewReader(raw), int64(len(raw)))
		}},
		{"torch", big.WriteTorch, read},
	} {
		var buf bytes.Buffer
		if err := c.write(&buf); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := c.read(buf.Bytes())
		runtime.ReadMemStats(&after)
		if err != nil || s.Parameters() != floats {
			t.Fatalf("%s: %d numbers, error %v", c.name, s.Parameters(), err)
		}
		if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(4*floats+1<<20); got > limit {
			t.Errorf("%s: reading %d bytes allocates %d, want at most %d", c.name, buf.Len(), got, limit)
		}
	}
}

func TestNonFinite(t *testing.T) {
	s := sample(t)
	if name, i, found := s.NonFinite(); found {
		t.Errorf("found %q[%d] among finite numbers", name, i)
	}
	for _, v := range []float32{float32(math.Inf(-1)), float32(math.NaN())} {
		s.All()[0].Data[4] = v
		if name, i, found := s.NonFinite(); !found || name != "b" || i != 4 {
			t.Errorf("%v: got %q[%d] %v, want b[4]", v, name, i, found)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, tensors := range map[string][]weights.Tensor{
		"no name":        {{Shape: []int{1}, Data: []float32{1}}},
		"a name twice":   {{Name: "a", Shape: []int{1}, Data: []float32{1}}, {Name: "a", Shape: []int{1}, Data: []float32{1}}},
		"too few":        {{Name: "a", Shape: []int{2}, Data: []float32{1}}},
		"too many":       {{Name: "a", Shape: []int{1}, Data: []float32{1, 2}}},
		"negative sizes": {{Name: "a", Shape: []int{-1, -1}, Data: []float32{1}}},
	} {
		if _, err := weights.New(tensors, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestHashIsOfTheTensors(t *testing.T) {
	s := sample(t)
	same := s.Clone()
	same.Metadata["note"] = "another"
	if s.Metadata["note"] == "another" {
		t.Error("a clone shares its metadata")
	}
	all := slices.Clone(same.All())
	slices.Reverse(all)
	reversed, err := weights.New(all, nil)
	if err != nil {
		t.Fatal(err)
	}
	if same.SHA256() != s.SHA256() || reversed.SHA256() != s.SHA256() {
		t.Error("order or metadata change the hash")
	}
	same.All()[0].Data[1] = 9
	if same.SHA256() == s.SHA256() {
		t.Error("another number has the same hash")
	}
	if s.All()[0].Data[1] == 9 {
		t.Error("a clone shares its tensors")
	}
	flat := s.Clone()
	flat.All()[0].Shape[0], flat.All()[0].Shape[1] = 3, 2
	if flat.SHA256() == s.SHA256() {
		t.Error("another shape has the same hash")
	}
}

func TestOpenChecksTheHash(t *testing.T) {
	raw := written(t, sample(t))
	dir := t.TempDir()
	good, bad, none := filepath.Join(dir, "good"), filepath.Join(dir, "bad"), filepath.Join(dir, "none")
	if err := os.WriteFile(good, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(bad, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := weights.OpenUnchecked(bad); err != nil {
		t.Errorf("unchecked: %v", err)
	}
	if _, err := weights.Open(good); err != nil {
		t.Errorf("good file: %v", err)
	}
	if _, err := weights.Open(bad); !errors.Is(err, weights.ErrFormat) || !strings.Contains(err.Error(), bad) {
		t.Errorf("one bit changed: error %v, want ErrFormat with the path", err)
	}
	if _, err := weights.Open(none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: error %v, want os.ErrNotExist", err)
	}
}

func FuzzReadSafetensors(f *testing.F) {
	f.Add(written(f, sample(f)))
	f.Add(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(file(`{"a":{"dtype":"F32","shape":[0,9223372036854775807],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := weights.ReadSafetensors(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		again := written(t, s)
		back, err := weights.ReadSafetensors(bytes.NewReader(again), int64(len(again)))
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if back.SHA256() != s.SHA256() {
			t.Fatal("written and read is another model")
		}
	})
}
