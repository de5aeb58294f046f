// Package sc writes pictures as Secondary Capture: one picture as Secondary Capture Image Storage (PS3.3 A.8.1), several of
// one size as Multi-frame True Color Secondary Capture Image Storage (A.8.5). Pixels are RGB of 8 bits, what is transparent
// lies on black. Who looks at them sees what was drawn, and can measure nothing: numbers belong into reports.
package sc

import (
	"fmt"
	"image"
	"time"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/iod/multiframe"
)

// Capture is one object.
type Capture struct {
	Images      []image.Image // of one size
	Description string        // Derivation Description and Image Comments; says what is seen
	// Grid is where the pixels of each image lie, nil for pictures that are no planes of the patient. It is written for
	// several images; a single Secondary Capture has no place for it.
	Grid *multiframe.Grid
	// Source are the images that the pictures show, for the reader; may be empty.
	Source     []iod.Instance
	Laterality string // of what is seen: "L", "R", "B"; "" if it has none
	// Drawn reports whether patient-identifying or other text is drawn into the pictures (Burned In Annotation).
	Drawn bool
}

// Class returns the SOP Class of the object.
func (c *Capture) Class() string {
	if len(c.Images) > 1 {
		return uid.MultiFrameTrueColorSecondaryCaptureImageStorage
	}
	return uid.SecondaryCaptureImageStorage
}

// Fill writes the modules of the object into d, which must have its Study and SOP Instance UIDs already.
func (c *Capture) Fill(d *dicom.Dataset, instanceNumber int, now time.Time) error {
	if err := c.validate(); err != nil {
		return fmt.Errorf("sc: %w", err)
	}
	size := c.Images[0].Bounds()
	c.image(d, size, instanceNumber, now)
	if len(c.Images) > 1 {
		c.frames(d)
	}
	if len(c.Source) > 0 {
		items := make([]*dicom.Dataset, len(c.Source))
		for n, i := range c.Source {
			items[n] = i.Reference()
			items[n].SetItems(tag.PurposeOfReferenceCodeSequence, code.SourceImage.Item())
		}
		d.SetItems(tag.SourceImageSequence, items...)
		iod.CommonInstanceReference(d, c.Source)
	}
	pixels := make([]byte, 0, 3*len(c.Images)*size.Dx()*size.Dy())
	for _, i := range c.Images {
		pixels = appendRGB(pixels, i)
	}
	d.SetVR(tag.PixelData, dicom.OB, pixels)
	return nil
}

func (c *Capture) validate() error {
	if len(c.Images) == 0 {
		return fmt.Errorf("no picture")
	}
	size := c.Images[0].Bounds().Size()
	if size.X < 1 || size.Y < 1 || size.X > 65535 || size.Y > 65535 {
		return fmt.Errorf("a picture of %v pixels", size)
	}
	for n, i := range c.Images {
		if i.Bounds().Size() != size {
			return fmt.Errorf("picture %d has %v pixels, the first %v", n+1, i.Bounds().Size(), size)
		}
	}
	if c.Grid == nil {
		return nil
	}
	if c.Grid.Rows != size.Y || c.Grid.Columns != size.X || len(c.Grid.Positions) != len(c.Images) {
		return fmt.Errorf("%d pictures of %v pixels on %d planes of %d x %d", len(c.Images), size, len(c.Grid.Positions), c.Grid.Columns, c.Grid.Rows)
	}
	return c.Grid.Validate()
}

// image fills the General Image, SC Equipment and Image Pixel modules.
func (c *Capture) image(d *dicom.Dataset, size image.Rectangle, instanceNumber int, now time.Time) {
	d.Set(tag.ConversionType, "WSD")
	d.Set(tag.ImageType, "DERIVED", "SECONDARY")
	d.Set(tag.InstanceNumber, instanceNumber)
	d.Set(tag.ContentDate, iod.Date(now))
	d.Set(tag.ContentTime, iod.Time(now))
	if c.Laterality != "" {
		d.Set(tag.ImageLaterality, c.Laterality)
	}
	d.Set(tag.PatientOrientation)
	d.Set(tag.DerivationDescription, c.Description)
	d.Set(tag.ImageComments, c.Description)
	d.Set(tag.BurnedInAnnotation, "NO")
	if c.Drawn {
		d.Set(tag.BurnedInAnnotation, "YES")
	}
	d.Set(tag.LossyImageCompression, "00")
	d.Set(tag.SamplesPerPixel, 3)
	d.Set(tag.PhotometricInterpretation, "RGB")
	d.Set(tag.PlanarConfiguration, 0)
	d.Set(tag.Rows, size.Dy())
	d.Set(tag.Columns, size.Dx())
	d.Set(tag.BitsAllocated, 8)
	d.Set(tag.BitsStored, 8)
	d.Set(tag.HighBit, 7)
	d.Set(tag.PixelRepresentation, 0)
}

// frames fills what an object of several frames has more: C.8.6.3, and where the planes lie.
func (c *Capture) frames(d *dicom.Dataset) {
	d.Set(tag.NumberOfFrames, len(c.Images))
	if c.Grid == nil {
		d.Set(tag.FrameIncrementPointer, tag.PageNumberVector)
		pages := make([]any, len(c.Images))
		for n := range pages {
			pages[n] = n + 1
		}
		d.Set(tag.PageNumberVector, pages...)
		return
	}
	iod.FrameOfReference(d, c.Grid.FrameOfReferenceUID, c.Grid.PositionReference)
	d.Set(tag.FrameIncrementPointer, tag.PerFrameFunctionalGroupsSequence)
	d.SetItems(tag.SharedFunctionalGroupsSequence, c.Grid.Shared())
	none := multiframe.Source{Slices: make([]multiframe.Slice, len(c.Images))}
	frames := make([]*dicom.Dataset, len(c.Images))
	for k := range frames {
		frames[k] = c.Grid.Frame(&none, k, code.Code{}, k+1)
		frames[k].Delete(tag.DerivationImageSequence)
		frames[k].Delete(tag.FrameContentSequence) // not of this IOD
	}
	d.SetItems(tag.PerFrameFunctionalGroupsSequence, frames...)
}

// appendRGB appends a picture's pixels, row by row.
func appendRGB(out []byte, i image.Image) []byte {
	b := i.Bounds()
	if rgba, ok := i.(*image.RGBA); ok {
		for y := b.Min.Y; y < b.Max.Y; y++ {
			at := rgba.PixOffset(b.Min.X, y)
			for row := rgba.Pix[at : at+4*b.Dx()]; len(row) > 0; row = row[4:] {
				out = append(out, row[0], row[1], row[2])
			}
		}
		return out
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, bl, _ := i.At(x, y).RGBA() // premultiplied: transparent parts are black
			out = append(out, byte(r>>8), byte(g>>8), byte(bl>>8))
		}
	}
	return out
}
