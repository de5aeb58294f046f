package training

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"

	"mome/experts"
	"mome/experts/nn"
	"mome/experts/volume"
	"mome/fusion"
)

// record is what the analysis made of one study: its candidates, cut to the network's boxes.
type record struct {
	Study    string  `json:"study"`
	NotDone  string  `json:"not_done,omitempty"`  // code of the reason why it could not be analysed
	Planted  int     `json:"planted,omitempty"`   // lesions of a phantom that a dynamic series can show
	AgeYears float64 `json:"age_years,omitempty"` // of phantoms only
	Cuts     []cut   `json:"cuts"`                // candidates in order of suspicion, then places without a candidate
}

// cut is one candidate, or a place that labels name and the analysis found nothing at.
type cut struct {
	Lesion     int          `json:"lesion,omitempty"` // from 1; 0 where there is no candidate
	Side       experts.Side `json:"side,omitempty"`
	CentreMM   volume.Vec   `json:"centre_mm"`
	LongAxisMM float64      `json:"long_axis_mm,omitempty"`
	Kind       Kind         `json:"kind,omitempty"` // of phantoms
	Parts      [3]part      `json:"parts"`          // of experts.Modalities

	memory fusion.Input // where the record is not on disk
	path   string
}

// part is where the volume of a modality lies in the file; no floats: the modality is absent.
type part struct {
	Offset int64  `json:"offset"` // bytes
	Floats int    `json:"floats"`
	CRC    uint32 `json:"crc"`
}

// The file of a record: magic, length and CRC-32 (Castagnoli) of the JSON of the record, 4 bytes each, little endian; the
// JSON; then volumes as float32, little endian, at the offsets that it states.
const (
	magic      = "MOMEcut1"
	prefixSize = len(magic) + 8
	maxJSON    = 4 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errRecord = errors.New("no record of prepared samples")

// write writes the record with its volumes, which must be in memory.
func (r *record) write(w io.Writer) error {
	// The JSON states offsets that depend on its own length: they count from its end while it is written, and readers
	// add it.
	at := int64(0)
	for n := range r.Cuts {
		c := &r.Cuts[n]
		for m, modality := range experts.Modalities {
			values := c.memory.Of(modality)
			c.Parts[m] = part{Offset: at, Floats: len(values), CRC: checksum(values)}
			at += 4 * int64(len(values))
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	prefix := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(text)))
	prefix = binary.LittleEndian.AppendUint32(prefix, crc32.Checksum(text, castagnoli))
	if _, err := w.Write(append(prefix, text...)); err != nil {
		return err
	}
	for n := range r.Cuts {
		for _, modality := range experts.Modalities {
			if err := encode(r.Cuts[n].memory.Of(modality), w); err != nil {
				return err
			}
		}
	}
	return nil
}

// readRecord reads the record at the start of a file of size bytes, without its volumes, and checks that they lie in the
// file and fit the boxes.
func readRecord(f io.ReaderAt, size int64, boxes nn.Boxes) (*record, error) {
	prefix := make([]byte, prefixSize)
	if _, err := f.ReadAt(prefix, 0); err != nil || string(prefix[:len(magic)]) != magic {
		return nil, errRecord
	}
	length := int64(binary.LittleEndian.Uint32(prefix[len(magic):]))
	if length > maxJSON || length > size-int64(prefixSize) {
		return nil, fmt.Errorf("%w: cut short", errRecord)
	}
	text := make([]byte, length)
	if _, err := f.ReadAt(text, int64(prefixSize)); err != nil {
		return nil, fmt.Errorf("%w: %v", errRecord, err)
	}
	if crc32.Checksum(text, castagnoli) != binary.LittleEndian.Uint32(prefix[len(magic)+4:]) {
		return nil, fmt.Errorf("%w: checksum", errRecord)
	}
	var r record
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("%w: %v", errRecord, err)
	}
	from := int64(prefixSize) + length
	for n := range r.Cuts {
		for m, modality := range experts.Modalities {
			p := &r.Cuts[n].Parts[m]
			if p.Floats != 0 && p.Floats != boxes.Of(modality).Floats() {
				return nil, fmt.Errorf("%w: %s of other boxes", errRecord, modality)
			}
			if p.Offset < 0 || p.Offset > size || p.Offset+4*int64(p.Floats) > size-from {
				return nil, fmt.Errorf("%w: cut short", errRecord)
			}
			p.Offset += from
		}
	}
	return &r, nil
}

// input returns the volumes of a cut.
func (c *cut) input() (fusion.Input, error) {
	if c.path == "" {
		return c.memory, nil
	}
	f, err := os.Open(c.path)
	if err != nil {
		return fusion.Input{}, fmt.Errorf("read prepared sample: %w", err)
	}
	defer f.Close()
	var in fusion.Input
	for m, modality := range experts.Modalities {
		values, err := c.Parts[m].read(f)
		if err != nil {
			return fusion.Input{}, fmt.Errorf("read prepared sample %s: %w", c.path, err)
		}
		switch modality {
		case experts.DCE:
			in.DCE = values
		case experts.T2:
			in.T2 = values
		case experts.DWI:
			in.DWI = values
		}
	}
	return in, nil
}

func (p part) read(f io.ReaderAt) ([]float32, error) {
	if p.Floats == 0 {
		return nil, nil
	}
	data := make([]byte, 4*p.Floats)
	if _, err := f.ReadAt(data, p.Offset); err != nil {
		return nil, err
	}
	if crc32.Checksum(data, castagnoli) != p.CRC {
		return nil, errors.New("its checksum is wrong: remove the file, and it is made again")
	}
	values := make([]float32, p.Floats)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return values, nil
}

// encode writes values chunk by chunk: a whole examination has hundreds of megabytes.
func encode(values []float32, w io.Writer) error {
	chunk := make([]byte, 0, 1<<16)
	for len(values) > 0 {
		n := min(len(values), cap(chunk)/4)
		chunk = chunk[:0]
		for _, v := range values[:n] {
			chunk = binary.LittleEndian.AppendUint32(chunk, math.Float32bits(v))
		}
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

func checksum(values []float32) uint32 {
	h := crc32.New(castagnoli)
	encode(values, h) // a hash takes everything
	return h.Sum32()
}
