package weights_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mome/experts/weights"
)

// pickler writes the opcodes that torch.save writes, without a memo.
type pickler struct{ bytes.Buffer }

func (p *pickler) text(s string) {
	p.WriteByte('X')
	p.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
	p.WriteString(s)
}

func (p *pickler) integers(values ...int) {
	p.WriteByte('(')
	for _, v := range values {
		p.WriteByte('J')
		p.Write(binary.LittleEndian.AppendUint32(nil, uint32(int32(v))))
	}
	p.WriteByte('t')
}

func (p *pickler) integer(v int) {
	p.WriteByte('J')
	p.Write(binary.LittleEndian.AppendUint32(nil, uint32(int32(v))))
}

// described is a tensor as a checkpoint describes it.
type described struct {
	name, class, key, device string
	count, offset            int
	shape, stride            []int
}

func (p *pickler) tensor(d described) {
	p.WriteString("ctorch._utils\n_rebuild_tensor_v2\n((")
	p.text("storage")
	p.WriteString("ctorch\n" + d.class + "\n")
	p.text(d.key)
	p.text(d.device)
	p.integer(d.count)
	p.WriteString("tQ") // persistent id
	p.integer(d.offset)
	p.integers(d.shape...)
	p.integers(d.stride...)
	p.WriteString("\x89ccollections\nOrderedDict\n)RtR") // requires_grad, hooks
}

// checkpoint is the program of {"epoch": 3, "state_dict": OrderedDict of tensors, "args": an object}.
func checkpoint(tensors ...described) []byte {
	return checkpointWith("argparse\nNamespace", tensors...)
}

// checkpointWith is a checkpoint whose args call something of Python's.
func checkpointWith(called string, tensors ...described) []byte {
	var p pickler
	p.WriteString("\x80\x02}(")
	p.text("epoch")
	p.WriteString("K\x03")
	p.text("state_dict")
	p.WriteString("ccollections\nOrderedDict\n)R(")
	for _, d := range tensors {
		p.text(d.name)
		p.tensor(d)
	}
	p.WriteByte('u')
	p.text("args")
	p.WriteString("c" + called + "\n(")
	p.text("echo never run")
	p.WriteString("tRu.")
	return p.Bytes()
}

// archive is a zip of members in order: name, content.
func archive(t testing.TB, members ...any) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := 0; i < len(members); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: members[i].(string), Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(members[i+1].([]byte)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func singles(values ...float32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func read(raw []byte) (weights.Set, error) {
	return weights.ReadTorch(bytes.NewReader(raw), int64(len(raw)))
}

func TestTorchReadsViewsAndPrecisions(t *testing.T) {
	raw := archive(t,
		"m/data.pkl", checkpoint(
			described{"plain", "FloatStorage", "0", "cuda:0", 6, 0, []int{2, 3}, []int{3, 1}},
			described{"transposed", "FloatStorage", "0", "cuda:0", 6, 0, []int{3, 2}, []int{1, 3}},
			described{"tail", "FloatStorage", "0", "cuda:0", 6, 4, []int{2}, []int{1}},
			described{"scalar", "FloatStorage", "0", "cuda:0", 6, 5, nil, nil},
			described{"empty", "FloatStorage", "4", "cpu", 0, 0, []int{0, 3}, []int{3, 1}},
			described{"double", "DoubleStorage", "1", "cpu", 1, 0, []int{1}, []int{1}},
			described{"half", "HalfStorage", "2", "cpu", 4, 0, []int{4}, []int{1}},
			described{"brain", "BFloat16Storage", "3", "cpu", 2, 0, []int{2}, []int{1}},
			described{"counter", "LongStorage", "5", "cpu", 1, 0, nil, nil},
		),
		"m/byteorder", []byte("little"),
		"m/data/0", singles(1, 2, 3, 4, 5, 6),
		"m/data/1", binary.LittleEndian.AppendUint64(nil, math.Float64bits(-0.5)),
		"m/data/2", []byte{0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x7c}, // 1, -2, 2^-24, inf
		"m/data/3", []byte{0x80, 0x3f, 0x40, 0xc0}, // 1, -3
		"m/data/4", []byte{},
		"m/data/5", make([]byte, 8),
	)
	s, err := read(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []weights.Tensor{
		{Name: "plain", Shape: []int{2, 3}, Data: []float32{1, 2, 3, 4, 5, 6}},
		{Name: "transposed", Shape: []int{3, 2}, Data: []float32{1, 4, 2, 5, 3, 6}},
		{Name: "tail", Shape: []int{2}, Data: []float32{5, 6}},
		{Name: "scalar", Shape: []int{}, Data: []float32{6}},
		{Name: "empty", Shape: []int{0, 3}, Data: []float32{}},
		{Name: "double", Shape: []int{1}, Data: []float32{-0.5}},
		{Name: "half", Shape: []int{4}, Data: []float32{1, -2, 1.0 / (1 << 24), float32(math.Inf(1))}},
		{Name: "brain", Shape: []int{2}, Data: []float32{1, -3}},
	} {
		got, ok := s.Tensor(want.Name)
		if !ok || !slices.Equal(got.Shape, want.Shape) || !slices.Equal(got.Data, want.Data) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if _, ok := s.Tensor("counter"); ok {
		t.Error("a tensor of integers is among the weights")
	}
}

func TestTorchRefuses(t *testing.T) {
	one := described{"w", "FloatStorage", "0", "cpu", 2, 0, []int{2}, []int{1}}
	with := func(change func(d *described)) []byte {
		d := one
		change(&d)
		return archive(t, "m/data.pkl", checkpoint(d), "m/data/0", singles(1, 2))
	}
	compressed := func() []byte {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		w, err := z.Create("m/data.pkl") // deflated
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(checkpoint(one)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	many := make([]described, 100)
	for i := range many {
		many[i] = one
		many[i].name = fmt.Sprint("w", i)
		many[i].count, many[i].shape = 5000, []int{5000}
	}
	expanded := slices.Clone(many)
	for i := range expanded {
		expanded[i].stride = []int{0}
	}
	tail := one
	tail.offset, tail.shape = 1, []int{1}
	// damaged changes the number 1 to another one.
	damaged := func(raw []byte) []byte {
		raw[bytes.Index(raw, singles(1, 2))] ^= 1
		return raw
	}
	for _, c := range []struct {
		name string
		raw  []byte
	}{
		{"no archive", []byte("PK\x03\x04 and nothing")},
		{"no pickle", archive(t, "m/data/0", singles(1))},
		{"two pickles", archive(t, "m/data.pkl", checkpoint(one), "n/data.pkl", checkpoint(one))},
		{"compressed", compressed()},
		{"big-endian", archive(t, "m/data.pkl", checkpoint(one), "m/byteorder", []byte("big"), "m/data/0", singles(1, 2))},
		{"empty pickle", archive(t, "m/data.pkl", []byte{})},
		{"a number", archive(t, "m/data.pkl", []byte("\x80\x02K\x01."))},
		{"no tensors", archive(t, "m/data.pkl", []byte("\x80\x02}."))},
		{"protocol 0", archive(t, "m/data.pkl", []byte("(dp0\n."))},
		{"storage missing", archive(t, "m/data.pkl", checkpoint(one))},
		{"storage of another size", archive(t, "m/data.pkl", checkpoint(one), "m/data/0", singles(1, 2, 3))},
		{"shape beyond the storage", with(func(d *described) { d.shape = []int{3} })},
		{"offset beyond the storage", with(func(d *described) { d.offset = 1 })},
		{"negative offset", with(func(d *described) { d.offset = -1 })},
		{"negative stride", with(func(d *described) { d.stride = []int{-1} })},
		{"stride beyond the storage", with(func(d *described) { d.stride = []int{2} })},
		{"negative size", with(func(d *described) { d.shape = []int{-2} })},
		{"path as a key", with(func(d *described) { d.key = "../0" })},
		{"views that multiply", archive(t, "m/data.pkl", checkpoint(many...), "m/data/0", make([]byte, 20000))},
		{"code to run", archive(t, "m/data.pkl", checkpointWith("posix\nsystem", one), "m/data/0", singles(1, 2))},
		{"a storage of another kind", with(func(d *described) { d.class = "ComplexFloatStorage" })},
		{"expanded many times", archive(t, "m/data.pkl", checkpoint(expanded...), "m/data/0", make([]byte, 20000))},
		{"damaged", damaged(archive(t, "m/data.pkl", checkpoint(one), "m/data/0", singles(1, 2)))},
		{"damaged beside a view", damaged(archive(t, "m/data.pkl", checkpoint(tail), "m/data/0", singles(1, 2)))},
		{"a name twice", archive(t, "m/data.pkl", checkpoint(one, one), "m/data/0", singles(1, 2))},
	} {
		if s, err := read(c.raw); !errors.Is(err, weights.ErrFormat) {
			t.Errorf("%s: error %v, want ErrFormat; %d tensors", c.name, err, s.Len())
		}
	}
}

func TestTorchNamesWhatItRefuses(t *testing.T) {
	one := described{"w", "FloatStorage", "0", "cpu", 2, 0, []int{2}, []int{1}}
	for _, c := range []struct{ called, want string }{
		{"posix\nsystem", "posix.system"}, {"builtins\neval", "builtins.eval"}, {"torch.storage\n_load_from_bytes", "torch.storage._load_from_bytes"},
	} {
		_, err := read(archive(t, "m/data.pkl", checkpointWith(c.called, one), "m/data/0", singles(1, 2)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v does not name %s", err, c.want)
		}
	}
}

func TestTorchFindsTheStateDictionary(t *testing.T) {
	tensor := func(p *pickler, name, key string) {
		p.text(name)
		p.tensor(described{name, "FloatStorage", key, "cuda:1", 2, 0, []int{2}, []int{1}})
	}
	for _, c := range []struct {
		name  string
		write func(p *pickler)
		want  []string
	}{
		{"itself", func(p *pickler) { tensor(p, "a.w", "0"); tensor(p, "b", "0") }, []string{"a.w", "b"}},
		{"under model", func(p *pickler) { p.text("model"); p.WriteString("}("); tensor(p, "a", "0"); p.WriteByte('u') }, []string{"a"}},
		{"from DataParallel", func(p *pickler) { tensor(p, "module.model.a", "0"); tensor(p, "module.model.b", "0") }, []string{"a", "b"}},
		{"a prefix of some names", func(p *pickler) { tensor(p, "module.a", "0"); tensor(p, "b", "0") }, []string{"module.a", "b"}},
		{"beside an optimizer", func(p *pickler) {
			p.text("optimizer") // its storage is not even in the archive
			p.WriteString("}(")
			tensor(p, "exp_avg", "9")
			p.WriteByte('u')
			p.text("state_dict")
			p.WriteString("}(")
			tensor(p, "a", "0")
			p.WriteByte('u')
		}, []string{"a"}},
	} {
		var p pickler
		p.WriteString("\x80\x02}(")
		c.write(&p)
		p.WriteString("u.")
		s, err := read(archive(t, "m/data.pkl", p.Bytes(), "m/data/0", singles(1, 2)))
		var got []string
		for _, tensor := range s.All() {
			got = append(got, tensor.Name)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, error %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestOpenNamesOldCheckpoints(t *testing.T) {
	tar := make([]byte, 1024)
	copy(tar[257:], "ustar")
	for name, raw := range map[string][]byte{
		"pickle": []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."),
		"tar":    tar,
	} {
		path := filepath.Join(t.TempDir(), "old.pth")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := weights.Open(path); !errors.Is(err, weights.ErrFormat) || !strings.Contains(err.Error(), "torch.save") {
			t.Errorf("%s: error %v, want ErrFormat and how to resave", name, err)
		}
	}
}

// The machine's opcodes in other orders than torch.save writes them.
func TestTorchReadsOtherProtocols(t *testing.T) {
	// protocol 4: frame, memoized short strings, STACK_GLOBAL; lists, floats, long integers and sets passed over
	var p pickler
	p.WriteString("\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94(")
	p.WriteString("\x8c\x04lr  \x94G\x3f\xf0\x00\x00\x00\x00\x00\x00")
	p.WriteString("\x8c\x04list](K\x01K\x02e")
	p.WriteString("\x8c\x04sets\x8f(K\x01\x90")
	p.WriteString("\x8c\x04long\x8a\x02\xff\xff")
	p.WriteString("\x8c\x04obj \x8c\x08argparse\x8c\x09Namespace\x93)R}b")
	p.WriteString("\x8c\x01w")
	var inner pickler
	inner.tensor(described{"w", "FloatStorage", "0", "cpu", 2, 0, []int{2}, []int{1}})
	p.WriteString(strings.Replace(inner.String(), "ctorch._utils\n_rebuild_tensor_v2\n", "\x8c\x0ctorch._utils\x8c\x12_rebuild_tensor_v2\x93", 1))
	p.WriteString("u.")
	s, err := read(archive(t, "data.pkl", p.Bytes(), "data/0", singles(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	if w, ok := s.Tensor("w"); s.Len() != 1 || !ok || !slices.Equal(w.Data, []float32{1, 2}) {
		t.Errorf("tensors %+v, want w alone with 1, 2", s.All())
	}
}

func FuzzReadTorch(f *testing.F) {
	one := described{"w", "FloatStorage", "0", "cpu", 2, 0, []int{2}, []int{1}}
	f.Add(checkpoint(one))
	f.Add(checkpoint(described{"w", "HalfStorage", "0", "cpu", 4, 1, []int{1, 2}, []int{0, 1}}))
	f.Add([]byte("\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01h\x00us."))
	f.Add([]byte("\x80\x02(((((((((t."))
	// The pickle is what matters; the archive around it is the library's.
	f.Fuzz(func(t *testing.T, program []byte) {
		s, err := read(archive(t, "m/data.pkl", program, "m/data/0", singles(1, 2)))
		if err != nil {
			return
		}
		if s.Parameters() > 8*len(program)+64 {
			t.Fatalf("%d numbers from %d bytes", s.Parameters(), len(program))
		}
	})
}

// A whole archive: sizes, offsets and checksums are claims as well.
func FuzzReadTorchArchive(f *testing.F) {
	one := described{"w", "FloatStorage", "0", "cpu", 2, 0, []int{2}, []int{1}}
	two := described{"v", "DoubleStorage", "1", "cuda:0", 4, 1, []int{2, 1}, []int{2, 7}}
	f.Add(archive(f, "m/data.pkl", checkpoint(one, two), "m/byteorder", []byte("little"), "m/data/0", singles(1, 2), "m/data/1", make([]byte, 32)))
	var own bytes.Buffer
	if err := sample(f).WriteTorch(&own); err != nil {
		f.Fatal(err)
	}
	f.Add(own.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := read(raw)
		if err != nil {
			return
		}
		if s.Parameters() > 8*len(raw) {
			t.Fatalf("%d numbers from %d bytes", s.Parameters(), len(raw))
		}
	})
}
