package training

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mome/experts/nn"
	"mome/experts/volume"
	"mome/fusion"
)

var t0 = time.Unix(0, 0)

func testBoxes() nn.Boxes {
	field := [3]float64{8, 8, 8}
	return nn.Boxes{
		DCE: nn.Box{Channels: 2, Size: [3]int{2, 3, 4}, FieldOfViewMM: field},
		T2:  nn.Box{Channels: 1, Size: [3]int{2, 2, 2}, FieldOfViewMM: field},
		DWI: nn.Box{Channels: 1, Size: [3]int{1, 2, 2}, FieldOfViewMM: field},
	}
}

func counting(n int, from float32) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = from + float32(i)/3
	}
	return out
}

func testRecord() *record {
	return &record{Study: "1.2.3", Planted: 1, Cuts: []cut{
		{Lesion: 1, Side: "L", CentreMM: volume.Vec{1.5, -2, 3}, LongAxisMM: 12, Kind: Malignant, memory: fusion.Input{DCE: counting(48, 1), T2: counting(8, 2), DWI: counting(4, 3)}},
		{CentreMM: volume.Vec{4, 5, 6}, memory: fusion.Input{DCE: counting(48, 7), DWI: counting(4, 5)}},
	}}
}

func TestCacheKeepsRecords(t *testing.T) {
	c, err := OpenCache(t.TempDir(), time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if r := c.load("a", testBoxes()); r != nil {
		t.Fatalf("an empty cache answered %+v", r)
	}
	if _, err := c.store("a", testRecord(), testBoxes()); err != nil {
		t.Fatal(err)
	}
	got, want := c.load("a", testBoxes()), testRecord()
	if got == nil {
		t.Fatal("the record is not there")
	}
	if got.Study != want.Study || got.Planted != want.Planted || len(got.Cuts) != len(want.Cuts) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for n, w := range want.Cuts {
		g := got.Cuts[n]
		in, err := g.input()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(in.DCE, w.memory.DCE) || !slices.Equal(in.T2, w.memory.T2) || !slices.Equal(in.DWI, w.memory.DWI) {
			t.Errorf("cut %d: volumes %v, want %v", n, in, w.memory)
		}
		if (in.T2 == nil) != (w.memory.T2 == nil) {
			t.Errorf("cut %d: an absent modality came back as present", n)
		}
		if g.Lesion != w.Lesion || g.Side != w.Side || g.CentreMM != w.CentreMM || g.LongAxisMM != w.LongAxisMM || g.Kind != w.Kind {
			t.Errorf("cut %d is %+v, want %+v", n, g, w)
		}
	}
	if other := (nn.Boxes{DCE: testBoxes().DCE, T2: testBoxes().DWI, DWI: testBoxes().DWI}); c.load("a", other) != nil {
		t.Error("a record of other boxes was taken")
	}
}

// A file that is cut short anywhere, as by a full disk, or has a wrong byte, is no record or gives no volumes.
func TestDamagedRecords(t *testing.T) {
	dir := t.TempDir()
	c, err := OpenCache(dir, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := testRecord().write(&b); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	usable := func(data []byte) bool {
		if err := os.WriteFile(filepath.Join(dir, "x"+extension), data, 0o600); err != nil {
			t.Fatal(err)
		}
		r := c.load("x", testBoxes())
		if r == nil {
			return false
		}
		for _, one := range r.Cuts {
			if _, err := one.input(); err != nil {
				return false
			}
		}
		return true
	}
	if !usable(whole) {
		t.Fatal("the whole file is not usable")
	}
	for n := 0; n < len(whole); n += 5 {
		if usable(whole[:n]) {
			t.Errorf("cut to %d of %d bytes it is still taken", n, len(whole))
		}
		wrong := bytes.Clone(whole)
		wrong[n] ^= 0x10
		if usable(wrong) {
			t.Errorf("with a wrong byte %d of %d it is still taken", n, len(whole))
		}
	}
}

func TestOpenCacheTakesAwayLeftovers(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	for name, age := range map[string]time.Duration{"old.1" + partial: 25 * time.Hour, "new.1" + partial: time.Hour, "old" + extension: 1000 * time.Hour} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenCache(dir, now); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"new.1" + partial, "old" + extension}; !slices.Equal(names, want) {
		t.Errorf("left are %q, want %q", names, want)
	}
}

// FuzzReadRecord is given the JSON of a record; its length and checksum are made right, so that the JSON is looked at.
func FuzzReadRecord(f *testing.F) {
	var b bytes.Buffer
	if err := testRecord().write(&b); err != nil {
		f.Fatal(err)
	}
	length := binary.LittleEndian.Uint32(b.Bytes()[len(magic):])
	f.Add(b.Bytes()[prefixSize : prefixSize+int(length)])
	f.Add([]byte(`{"study":"1","cuts":[{"parts":[{"offset":-1,"floats":48,"crc":0},{"offset":9223372036854775807,"floats":8},{}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		data := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(text)))
		data = binary.LittleEndian.AppendUint32(data, crc32.Checksum(text, castagnoli))
		data = append(append(data, text...), make([]byte, 512)...)
		r, err := readRecord(bytes.NewReader(data), int64(len(data)), testBoxes())
		if err != nil {
			return
		}
		for _, c := range r.Cuts {
			for _, p := range c.Parts {
				values, err := p.read(bytes.NewReader(data))
				if p.CRC == 0 || err != nil {
					continue // the checksum of its bytes is wrong
				}
				if len(values) != p.Floats {
					t.Errorf("%q: %d values, the record says %d", text, len(values), p.Floats)
				}
			}
		}
	})
}
