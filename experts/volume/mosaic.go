package volume

import (
	"math"
	"slices"
	"strings"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// Mosaic is an image whose tiles, all of one size, are the slices of a volume, from left to right and from top to
// bottom; tiles after the last slice are empty. The standard does not know such images: Siemens (MOSAIC) and United
// Imaging (VFRAME) each tell in private attributes how many tiles there are and where they lie.
type Mosaic struct {
	Columns, Rows int     // of the whole image
	Tiles         []Plane // tile k lies at column k % across, row k / across; Columns and Rows of each are the tile's
}

// maxTiles of one image; 256 slices make a mosaic of 16 x 16.
const maxTiles = 1024

// IsMosaic reports whether Image Type tells of tiles.
func IsMosaic(header *dicom.Dataset) bool {
	types := header.Strings(tag.ImageType)
	return len(types) > 2 && slices.ContainsFunc(types[2:], func(v string) bool {
		return strings.EqualFold(v, "MOSAIC") || strings.EqualFold(v, "VFRAME")
	})
}

// MosaicOf reads the places of the tiles. The error is a GeometryError that names what is missing: without it the
// slices' number, places or order would be guessed.
func MosaicOf(header *dicom.Dataset) (*Mosaic, error) {
	m := &Mosaic{Columns: header.IntOr(tag.Columns, 0), Rows: header.IntOr(tag.Rows, 0)}
	if m.Columns < 1 || m.Rows < 1 || m.Columns > maxSide || m.Rows > maxSide {
		return nil, geometryErrorf("Rows and Columns are missing or out of range: %d x %d", m.Rows, m.Columns)
	}
	if items := header.Private(uihHeader, 0x0065, 0x51); items != nil {
		return m, m.uih(header, items.Items)
	}
	return m, m.siemens(header)
}

// across is the number of tiles in a row of the image.
func (m *Mosaic) across() int { return m.Columns / m.Tiles[0].Columns }

// Crop copies tile k, [row, column], out of the samples of the whole image, [row, column]; it reuses dst where that is
// large enough. image has m.Rows x m.Columns samples.
func (m *Mosaic) Crop(dst, image []int32, k int) []int32 {
	columns, rows := m.Tiles[k].Columns, m.Tiles[k].Rows
	left, top := k%m.across()*columns, k/m.across()*rows
	dst = dst[:0]
	for row := range rows {
		at := (top+row)*m.Columns + left
		dst = append(dst, image[at:at+columns]...)
	}
	return dst
}

// uihHeader is the private creator of United Imaging's group 0065.
const uihHeader = "Image Private Header"

// uih reads United Imaging's tiles: a sequence holds an item for each, with its position. The tiles are as large as the
// acquired matrix; how many stand in a row follows from it.
func (m *Mosaic) uih(header *dicom.Dataset, items []*dicom.Dataset) error {
	if len(items) == 0 || len(items) > maxTiles {
		return geometryErrorf("the private sequence of tiles has %d items", len(items))
	}
	columns, rows, ok := m.layout(len(items), header)
	if !ok {
		return geometryErrorf("%d tiles do not divide an image of %d x %d in one way only", len(items), m.Columns, m.Rows)
	}
	for _, item := range items {
		one := header.Clone()
		one.Delete(tag.ImagePositionPatient)
		if e := item.Get(tag.ImagePositionPatient); e != nil {
			one.Put(e)
		}
		p, err := PlaneOf(one, 0)
		if err != nil {
			return err
		}
		p.Columns, p.Rows = columns, rows
		m.Tiles = append(m.Tiles, p)
	}
	return nil
}

// layout returns the size of n tiles that fill the image, with fewer than a row of them empty. Where several layouts do,
// it is the one whose tiles have the Acquisition Matrix; it is not ok where that leaves more than one.
func (m *Mosaic) layout(n int, header *dicom.Dataset) (columns, rows int, ok bool) {
	matrix := header.Floats(tag.AcquisitionMatrix)
	var fit, acquired [][2]int
	for across := 1; across <= n; across++ {
		down := (n + across - 1) / across
		if m.Columns%across != 0 || m.Rows%down != 0 {
			continue
		}
		tile := [2]int{m.Columns / across, m.Rows / down}
		fit = append(fit, tile)
		if slices.Contains(matrix, float64(tile[0])) && slices.Contains(matrix, float64(tile[1])) {
			acquired = append(acquired, tile)
		}
	}
	if len(fit) != 1 {
		fit = acquired
	}
	if len(fit) != 1 {
		return 0, 0, false
	}
	return fit[0][0], fit[0][1], true
}

// siemens reads Siemens' tiles: as many in a row as in a column. Image Position (Patient) is that of an image of the
// whole mosaic's size around the first slice's centre; the slices follow each other along the normal that the private
// CSA header gives, which may be against the plane's own.
func (m *Mosaic) siemens(header *dicom.Dataset) error {
	var csa csaHeader
	if e := header.Private("SIEMENS CSA HEADER", 0x0029, 0x10); e != nil {
		csa = parseCSA(e.Value)
	}
	n := 0
	if v := csa.numbers("NumberOfImagesInMosaic"); len(v) > 0 {
		n = int(v[0])
	}
	if n < 1 || n > maxTiles {
		return geometryErrorf("the private header does not tell the number of tiles")
	}
	normal := csa.numbers("SliceNormalVector")
	if len(normal) != 3 || !finite(normal...) || math.Abs(Vec(normal).Norm()-1) > 5e-3 {
		return geometryErrorf("the private header does not tell the direction of the slices")
	}
	across := int(math.Ceil(math.Sqrt(float64(n))))
	if m.Columns%across != 0 || m.Rows%across != 0 {
		return geometryErrorf("%d tiles do not divide an image of %d x %d", n, m.Columns, m.Rows)
	}
	p, err := PlaneOf(header, 0)
	if err != nil {
		return err
	}
	stepMM, ok := header.Float(tag.SpacingBetweenSlices)
	if !ok || stepMM <= 0 {
		if stepMM = p.ThicknessMM; n > 1 && stepMM <= 0 {
			return geometryErrorf("Spacing Between Slices is missing")
		}
	}
	along := p.Normal().Dot(Vec(normal))
	if math.Abs(math.Abs(along)-1) > 5e-3 {
		return geometryErrorf("the slices are not stacked along their normal")
	}
	step := p.Normal().Scale(math.Copysign(stepMM, along))
	p.Columns, p.Rows = m.Columns/across, m.Rows/across
	p.Position = p.Position.
		Add(p.Axis[0].Scale(float64(m.Columns-p.Columns) / 2 * p.SpacingMM[0])).
		Add(p.Axis[1].Scale(float64(m.Rows-p.Rows) / 2 * p.SpacingMM[1]))
	for k := range n {
		tile := p
		tile.Position = p.Position.Add(step.Scale(float64(k)))
		m.Tiles = append(m.Tiles, tile)
	}
	return nil
}
