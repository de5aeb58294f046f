package dicom

import (
	"encoding/binary"
	"math"

	godicom "github.com/grailbio/go-dicom"
	"github.com/grailbio/go-dicom/dicomtag"

	"mome/dicomweb/dicom/tag"
)

// goElement returns e in go-dicom's form, or nil where go-dicom would write other bytes than it should:
//   - OV, SV and UV, and anything it does not know, get a 16-bit length;
//   - a VR other than its dictionary's (edition 2011) is refused, so SS for "US or SS" and much that is newer;
//   - UN is padded with a space;
//   - OW, OF, OD and numbers go through reflection word by word: right, but too slow for a large value;
//   - OW, OF and OD whose value is no whole number of words.
func goElement(e *Element) *godicom.Element {
	g := &godicom.Element{Tag: goTag(e.Tag), VR: string(e.VR)}
	if known, err := dicomtag.Find(g.Tag); err == nil && known.VR != g.VR &&
		dicomtag.GetVRKind(g.Tag, known.VR) != dicomtag.GetVRKind(g.Tag, g.VR) {
		return nil
	}
	if len(e.Value)%e.VR.word() != 0 {
		return nil
	}
	if e.Tag == tag.PixelData {
		if len(e.Value)%2 != 0 {
			return nil
		}
		g.Value = []any{godicom.PixelDataInfo{Frames: [][]byte{e.Value}}}
		return g
	}
	switch e.VR {
	case OV, SV, UV, UN:
		return nil
	case OB:
		g.Value = []any{e.Value}
	case OW:
		if len(e.Value) > 1<<10 {
			return nil
		}
		g.Value = []any{e.Value}
	case AT: // its own path for AT takes nothing but raw bytes as a string
		g.Value = []any{string(e.Value)}
	case US, SS, UL, SL, FL, FD, OF, OD:
		if len(e.Value) > 1<<10 {
			return nil
		}
		g.Value = goNumbers(e)
	default:
		g.Value = []any{string(e.Value)}
	}
	return g
}

// goNumbers returns the values in the Go types that go-dicom expects.
func goNumbers(e *Element) []any {
	size := e.VR.word()
	out := make([]any, 0, len(e.Value)/size)
	o := binary.LittleEndian
	for v := e.Value; len(v) >= size; v = v[size:] {
		switch e.VR {
		case US:
			out = append(out, o.Uint16(v))
		case SS:
			out = append(out, int16(o.Uint16(v)))
		case UL:
			out = append(out, o.Uint32(v))
		case SL:
			out = append(out, int32(o.Uint32(v)))
		case FL, OF:
			out = append(out, math.Float32frombits(o.Uint32(v)))
		default: // FD, OD
			out = append(out, math.Float64frombits(o.Uint64(v)))
		}
	}
	return out
}
