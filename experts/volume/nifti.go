package volume

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// NIfTI-1 data types, nifti1.h.
const (
	niftiUint8   = 2
	niftiFloat32 = 16
)

// niftiHeader is the 348 bytes of nifti1.h in their order.
type niftiHeader struct {
	SizeofHdr                    int32
	_                            [36]byte // ANALYZE 7.5, unused
	Dim                          [8]int16
	_                            [3]float32
	_                            int16
	Datatype, Bitpix             int16
	_                            int16
	Pixdim                       [8]float32
	VoxOffset                    float32
	SclSlope, SclInter           float32
	_                            int16
	_                            byte
	XyztUnits                    byte
	_                            [4]float32
	_                            [2]int32
	Descrip                      [80]byte
	_                            [24]byte
	QformCode, SformCode         int16
	QuaternB, QuaternC, QuaternD float32
	QoffsetX, QoffsetY, QoffsetZ float32
	SrowX, SrowY, SrowZ          [4]float32
	_                            [16]byte
	Magic                        [4]byte
}

// WriteNIfTI writes v as a NIfTI-1 file (.nii) of float32; for .nii.gz let w compress. The header places the voxels in
// the scanner's space by both sform and qform, +x right, +y anterior, +z superior, mm.
func WriteNIfTI(w io.Writer, v *Volume) error {
	b, err := niftiStart(w, &v.Grid, niftiFloat32, 32)
	if err != nil {
		return err
	}
	var raw [4]byte
	for _, f := range v.Data {
		binary.LittleEndian.PutUint32(raw[:], math.Float32bits(f))
		b.Write(raw[:]) // a failure stays in b until Flush
	}
	return b.Flush()
}

// WriteMaskNIfTI is WriteNIfTI for a mask: bytes 0 and 1.
func WriteMaskNIfTI(w io.Writer, m *Mask) error {
	b, err := niftiStart(w, &m.Grid, niftiUint8, 8)
	if err != nil {
		return err
	}
	for _, in := range m.Data {
		var c byte
		if in {
			c = 1
		}
		b.WriteByte(c)
	}
	return b.Flush()
}

func niftiStart(w io.Writer, g *Grid, datatype, bits int16) (*bufio.Writer, error) {
	for _, n := range g.Size {
		if n < 1 || n > math.MaxInt16 {
			return nil, fmt.Errorf("write NIfTI-1: a side of %d voxels does not fit the format", n)
		}
	}
	h := niftiHeader{
		SizeofHdr: 348,
		Dim:       [8]int16{3, int16(g.Size[0]), int16(g.Size[1]), int16(g.Size[2]), 1, 1, 1, 1},
		Datatype:  datatype, Bitpix: bits,
		VoxOffset: 352, SclSlope: 1,
		XyztUnits: 2,               // mm
		QformCode: 1, SformCode: 1, // scanner
		Magic: [4]byte{'n', '+', '1'},
	}
	// Rows of the matrix from voxel indices to RAS: x and y change sign.
	sign := [3]float64{-1, -1, 1}
	var r [3][3]float64 // r[row][axis], unit columns
	srow := [3]*[4]float32{&h.SrowX, &h.SrowY, &h.SrowZ}
	for row := range 3 {
		for a := range 3 {
			r[row][a] = sign[row] * g.Axis[a][row]
			srow[row][a] = float32(r[row][a] * g.SpacingMM[a])
		}
		srow[row][3] = float32(sign[row] * g.Origin[row])
	}
	h.QoffsetX, h.QoffsetY, h.QoffsetZ = h.SrowX[3], h.SrowY[3], h.SrowZ[3]
	b, c, d, qfac := quaternion(r)
	h.QuaternB, h.QuaternC, h.QuaternD = float32(b), float32(c), float32(d)
	h.Pixdim = [8]float32{float32(qfac), float32(g.SpacingMM[0]), float32(g.SpacingMM[1]), float32(g.SpacingMM[2]), 0, 0, 0, 0}

	out := bufio.NewWriterSize(w, 1<<16)
	if err := binary.Write(out, binary.LittleEndian, &h); err != nil {
		return nil, err
	}
	_, err := out.Write(make([]byte, 4)) // no extensions
	return out, err
}

// quaternion returns b, c, d of the unit quaternion (a >= 0) of a rotation, and qfac: -1 where the third axis was turned
// round to make r proper (nifti1.h, method 2).
func quaternion(r [3][3]float64) (b, c, d, qfac float64) {
	det := r[0][0]*(r[1][1]*r[2][2]-r[1][2]*r[2][1]) - r[0][1]*(r[1][0]*r[2][2]-r[1][2]*r[2][0]) + r[0][2]*(r[1][0]*r[2][1]-r[1][1]*r[2][0])
	qfac = 1
	if det < 0 {
		qfac = -1
		for row := range 3 {
			r[row][2] = -r[row][2]
		}
	}
	// The largest of the four components is found first: dividing by a small one loses digits.
	sq := [4]float64{
		1 + r[0][0] + r[1][1] + r[2][2], 1 + r[0][0] - r[1][1] - r[2][2],
		1 - r[0][0] + r[1][1] - r[2][2], 1 - r[0][0] - r[1][1] + r[2][2],
	}
	big := 0
	for i := range sq {
		if sq[i] > sq[big] {
			big = i
		}
	}
	s := 2 * math.Sqrt(sq[big])
	var a float64
	switch big {
	case 0:
		a, b, c, d = s/4, (r[2][1]-r[1][2])/s, (r[0][2]-r[2][0])/s, (r[1][0]-r[0][1])/s
	case 1:
		a, b, c, d = (r[2][1]-r[1][2])/s, s/4, (r[0][1]+r[1][0])/s, (r[0][2]+r[2][0])/s
	case 2:
		a, b, c, d = (r[0][2]-r[2][0])/s, (r[0][1]+r[1][0])/s, s/4, (r[1][2]+r[2][1])/s
	case 3:
		a, b, c, d = (r[1][0]-r[0][1])/s, (r[0][2]+r[2][0])/s, (r[1][2]+r[2][1])/s, s/4
	}
	if a < 0 {
		b, c, d = -b, -c, -d
	}
	return b, c, d, qfac
}
