package weights_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"mome/experts/weights"
)

func TestTorchRoundTrip(t *testing.T) {
	s := sample(t)
	var file bytes.Buffer
	if err := s.WriteTorch(&file); err != nil {
		t.Fatal(err)
	}
	got, err := read(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range s.All() {
		tensor := got.All()[i]
		if tensor.Name != want.Name || !slices.Equal(tensor.Shape, want.Shape) || !slices.Equal(tensor.Data, want.Data) {
			t.Errorf("tensor %d: got %+v, want %+v", i, tensor, want)
		}
	}
	if got.SHA256() != s.SHA256() || got.Metadata[weights.SHA256] != s.SHA256() || got.Metadata["note"] != "<&>" {
		t.Errorf("hash %s, metadata %v", got.SHA256(), got.Metadata)
	}
	var again bytes.Buffer
	if err := got.WriteTorch(&again); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Bytes(), file.Bytes()) {
		t.Error("written, read and written again is another file")
	}
}

// TestPyTorchReadsAndWrites lets PyTorch read our file, describe it, and write files for us in the ways of its own.
func TestPyTorchReadsAndWrites(t *testing.T) {
	const interpreter = "/usr/bin/python3"
	if exec.Command(interpreter, "-c", "import importlib.util as u; exit(u.find_spec('torch') is None)").Run() != nil {
		t.Skip("no Python with PyTorch here (Debian: python3-torch)")
	}
	dir := t.TempDir()
	ours := filepath.Join(dir, "ours.th")
	f, err := os.Create(ours)
	if err != nil {
		t.Fatal(err)
	}
	s := sample(t)
	if err := s.WriteTorch(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	const script = `
import collections, inspect, json, sys, torch
kw = {"weights_only": True} if "weights_only" in inspect.signature(torch.load).parameters else {}
d = torch.load(sys.argv[1] + "/ours.th", map_location="cpu", **kw)
print(json.dumps({"epoch": d["epoch"], "licence": d["metadata"]["licence"],
    "tensors": {k: [list(v.shape), v.flatten().tolist(), str(v.dtype)] for k, v in d["state_dict"].items()}}))
m = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
o = torch.optim.Adam(m.parameters(), lr=1e-3)
m(torch.ones(4, 3)).sum().backward(); o.step()
with torch.no_grad():
    for p in m.parameters(): p.copy_(torch.arange(p.numel()).reshape(p.shape))
torch.save({"epoch": 3, "state_dict": m.state_dict(), "optimizer": o.state_dict()}, sys.argv[1] + "/full.th")
torch.save(m.half().state_dict(), sys.argv[1] + "/half.th")
flat = torch.arange(12.0).double()
torch.save({"model": collections.OrderedDict({"module.t": flat.reshape(3, 4).t(), "module.p": torch.nn.Parameter(flat[2:5].bfloat16())})}, sys.argv[1] + "/views.th")
torch.save(m.state_dict(), sys.argv[1] + "/old.th", _use_new_zipfile_serialization=False)
`
	cmd := exec.Command(interpreter, "-c", script, dir)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v", err)
	}
	var seen struct {
		Epoch   int
		Licence string
		Tensors map[string][3]any
	}
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if seen.Licence != "Apache-2.0" || len(seen.Tensors) != s.Len() {
		t.Errorf("PyTorch reads %+v", seen)
	}
	for _, want := range s.All() {
		got := seen.Tensors[want.Name]
		shape, _ := json.Marshal(got[0])
		wantShape, _ := json.Marshal(want.Shape)
		values, _ := got[1].([]any)
		if string(shape) != string(wantShape) || got[2] != "torch.float32" || len(values) != len(want.Data) {
			t.Errorf("%q: PyTorch reads %v, want shape %v", want.Name, got, want.Shape)
			continue
		}
		for i, v := range values {
			if float32(v.(float64)) != want.Data[i] {
				t.Errorf("%q[%d]: PyTorch reads %v, want %v", want.Name, i, v, want.Data[i])
			}
		}
	}
	for _, c := range []struct {
		file, tensor string
		shape        []int
		data         []float32
	}{
		{"full.th", "0.weight", []int{2, 3}, []float32{0, 1, 2, 3, 4, 5}},
		{"half.th", "0.weight", []int{2, 3}, []float32{0, 1, 2, 3, 4, 5}},
		{"views.th", "t", []int{4, 3}, []float32{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}},
		{"views.th", "p", []int{3}, []float32{2, 3, 4}},
	} {
		got, err := weights.Open(filepath.Join(dir, c.file))
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		tensor, ok := got.Tensor(c.tensor)
		if !ok || !slices.Equal(tensor.Shape, c.shape) || !slices.Equal(tensor.Data, c.data) {
			t.Errorf("%s: got %+v, want %v of %v", c.file, tensor, c.data, c.shape)
		}
	}
	if _, err := weights.Open(filepath.Join(dir, "old.th")); err == nil || !bytes.Contains([]byte(err.Error()), []byte("1.6")) {
		t.Errorf("old form: error %v, want one that says how to resave", err)
	}
}
