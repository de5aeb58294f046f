package detection

import (
	"bufio"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"mome/experts"
	"mome/experts/volume"
	"mome/fixtures/phantom"
)

// preparation is the version of prepared examinations. It counts up when what makeExam does changes.
const preparation = 2

// header begins a file of the cache. Volumes follow as 16-bit steps between their least and their largest value, then
// labels and tissue, deflated.
type header struct {
	Truth       phantom.Truth
	Motion      float64
	Acquisition phantom.Acquisition
	Grid        volume.Grid
	TimesS      []float64
	Low, High   []float32 // of each phase
	TimesKnown  bool
	Reference   int
}

// open returns a prepared examination, from the cache where it is there. The values are rounded to what the cache holds
// in either case, so that a second run gives the same numbers.
func open(ctx context.Context, dir string, c phantom.Config) (e *exam, cached bool, err error) {
	path, err := name(dir, c)
	if err != nil {
		return nil, false, err
	}
	if dir != "" {
		if e, err = load(path); err == nil {
			return e, true, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, false, fmt.Errorf("read cache: %w", err)
		}
	}
	if e, err = makeExam(ctx, c); err != nil {
		return nil, false, err
	}
	for n := range e.study.DCE {
		v := e.study.DCE[n].Volume
		low, high := extremes(v.Data)
		for at, x := range v.Data {
			v.Data[at] = fromStep(toStep(x, low, high), low, high)
		}
	}
	if dir == "" {
		return e, false, nil
	}
	if err := e.store(dir, path); err != nil {
		return nil, false, fmt.Errorf("write cache: %w", err)
	}
	return e, false, nil
}

// name is the file of a configuration. Fields without a value do not count: an option that is new and not used leaves the
// names as they are.
func name(dir string, c phantom.Config) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return "", err
	}
	for field, value := range fields {
		if value == nil || value == "" || value == 0.0 || value == false {
			delete(fields, field)
		}
	}
	if text, err = json.Marshal(fields); err != nil { // in order of the fields' names
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", preparation, text))
	return filepath.Join(dir, hex.EncodeToString(sum[:16])+".exam"), nil
}

func extremes(v []float32) (low, high float32) {
	low, high = v[0], v[0]
	for _, x := range v {
		low, high = min(low, x), max(high, x)
	}
	return low, high
}

func toStep(x, low, high float32) uint16 {
	if high <= low {
		return 0
	}
	return uint16(math.Round((float64(x) - float64(low)) / (float64(high) - float64(low)) * math.MaxUint16))
}

func fromStep(s uint16, low, high float32) float32 {
	return float32(float64(low) + (float64(high)-float64(low))*float64(s)/math.MaxUint16)
}

// store writes the file under a name of its own first: a file of the cache is whole or absent.
func (e *exam) store(dir, path string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "*.part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := e.write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (e *exam) write(w io.Writer) error {
	h := header{Truth: e.truth, Motion: e.motion, Acquisition: e.acquisition, Grid: e.study.DCE[0].Volume.Grid,
		TimesKnown: e.study.TimesKnown, Reference: e.study.Reference}
	for _, p := range e.study.DCE {
		low, high := extremes(p.Volume.Data)
		h.TimesS, h.Low, h.High = append(h.TimesS, p.TimeS), append(h.Low, low), append(h.High, high)
	}
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := binary.Write(w, binary.LittleEndian, uint32(len(text))); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	raw := make([]byte, 2*h.Grid.Len())
	for n, p := range e.study.DCE {
		for at, x := range p.Volume.Data {
			binary.LittleEndian.PutUint16(raw[2*at:], toStep(x, h.Low[n], h.High[n]))
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
	}
	z, err := flate.NewWriter(w, flate.BestSpeed)
	if err != nil {
		return err
	}
	for _, b := range [][]byte{e.labels, e.tissue} {
		if _, err := z.Write(b); err != nil {
			return err
		}
	}
	return z.Close()
}

// maxHeader and maxVoxels bound what a file may ask to be held.
const maxHeader, maxVoxels = 1 << 20, 1 << 26

func load(path string) (*exam, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	var length uint32
	if err := binary.Read(r, binary.LittleEndian, &length); err != nil {
		return nil, err
	}
	if length > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes", length)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, err
	}
	var h header
	if err := json.Unmarshal(text, &h); err != nil {
		return nil, err
	}
	for _, n := range h.Grid.Size {
		if n < 1 || n > maxVoxels {
			return nil, fmt.Errorf("a grid of %v voxels", h.Grid.Size)
		}
	}
	n, phases := h.Grid.Len(), len(h.TimesS)
	if n < 1 || n > maxVoxels || len(h.Low) != phases || len(h.High) != phases || h.Reference < 0 || h.Reference >= phases {
		return nil, fmt.Errorf("a grid of %v voxels with %d phases, the reference %d", h.Grid.Size, phases, h.Reference)
	}
	e := &exam{study: &experts.Study{TimesKnown: h.TimesKnown, Reference: h.Reference}, truth: h.Truth, motion: h.Motion, acquisition: h.Acquisition,
		labels: make([]uint8, h.Grid.Len()), tissue: make([]uint8, h.Grid.Len())}
	raw := make([]byte, 2*h.Grid.Len())
	for n, timeS := range h.TimesS {
		if _, err := io.ReadFull(r, raw); err != nil {
			return nil, err
		}
		v := volume.New(h.Grid)
		for at := range v.Data {
			v.Data[at] = fromStep(binary.LittleEndian.Uint16(raw[2*at:]), h.Low[n], h.High[n])
		}
		e.study.DCE = append(e.study.DCE, experts.Phase{TimeS: timeS, Volume: v})
	}
	z := flate.NewReader(r)
	for _, b := range [][]byte{e.labels, e.tissue} {
		if _, err := io.ReadFull(z, b); err != nil {
			return nil, err
		}
	}
	return e, nil
}
