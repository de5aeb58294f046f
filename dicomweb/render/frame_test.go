package render_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/pixel"
	"mome/dicomweb/render"
)

// object returns a data set with pixels of rows x columns, 16 bits, MONOCHROME2; set changes it.
func object(rows, columns int, pixels []byte, set func(*dicom.Dataset)) *dicom.Dataset {
	return archivetest.Dataset(archivetest.Ref("study", "series", "instance"), func(d *dicom.Dataset) {
		d.Set(tag.Rows, rows)
		d.Set(tag.Columns, columns)
		d.Set(tag.SamplesPerPixel, 1)
		d.Set(tag.PhotometricInterpretation, "MONOCHROME2")
		d.Set(tag.BitsAllocated, 16)
		d.Set(tag.BitsStored, 16)
		d.Set(tag.HighBit, 15)
		d.Set(tag.PixelRepresentation, 0)
		d.SetVR(tag.PixelData, dicom.OW, pixels)
		if set != nil {
			set(d)
		}
	})
}

// words returns values as 16 bits, little endian.
func words(values ...int) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

func window(d *dicom.Dataset, centre, width any, function string) {
	d.Set(tag.WindowCenter, centre)
	d.Set(tag.WindowWidth, width)
	if function != "" {
		d.Set(tag.VOILUTFunction, function)
	}
}

// frame renders frame n of a file.
func frame(f *dicom.File, n int, w *render.Window) (image.Image, error) {
	set, err := pixel.Frames(f)
	if err != nil {
		return nil, err
	}
	return render.Frame(f, set, n, w)
}

func bits8(d *dicom.Dataset) {
	d.Set(tag.BitsAllocated, 8)
	d.Set(tag.BitsStored, 8)
	d.Set(tag.HighBit, 7)
}

func signed(d *dicom.Dataset) { d.Set(tag.PixelRepresentation, 1) }

// lutItem is a table with 16-bit entries.
func lutItem(vr dicom.VR, first, bits int, entries ...int) *dicom.Dataset {
	item := dicom.New()
	item.SetVR(tag.LUTDescriptor, vr, len(entries), first, bits)
	item.SetVR(tag.LUTData, dicom.OW, words(entries...))
	return item
}

// TestGrey holds grey levels against values computed by hand from PS3.3 C.11.1 and C.11.2.
func TestGrey(t *testing.T) {
	for _, c := range []struct {
		name   string
		pixels []byte
		set    func(*dicom.Dataset)
		w      *render.Window
		want   []uint8
	}{
		// LINEAR: 0 up to c-0.5-(w-1)/2, 255 from above c-0.5+(w-1)/2, between ((x-(c-0.5))/(w-1)+0.5)*255.
		{"linear", words(0, 1, 50, 99, 100, 65535), func(d *dicom.Dataset) { window(d, 50, 100, "") }, nil,
			[]uint8{0, 3, 129, 255, 255, 255}},
		{"linear of width 1 is a threshold", words(9, 10, 11), func(d *dicom.Dataset) { window(d, 10, 1, "LINEAR") }, nil, []uint8{0, 255, 255}},
		// LINEAR_EXACT: 0 up to c-w/2, 255 from above c+w/2, between ((x-c)/w+0.5)*255.
		{"linear exact", words(0, 1, 50, 99, 100), func(d *dicom.Dataset) { window(d, 50, 100, "LINEAR_EXACT") }, nil, []uint8{0, 3, 128, 252, 255}},
		// SIGMOID: 255/(1+exp(-4(x-c)/w)).
		{"sigmoid", words(0, 25, 50, 75, 100), func(d *dicom.Dataset) { window(d, 50, 100, "SIGMOID") }, nil, []uint8{30, 69, 128, 186, 225}},
		{"a window that is asked for wins", words(0, 50, 100), func(d *dicom.Dataset) { window(d, 5, 10, "") },
			&render.Window{Centre: 50, Width: 100, Function: render.LinearExact}, []uint8{0, 128, 255}},
		{"rescale", words(0, 512, 1024), func(d *dicom.Dataset) {
			d.Set(tag.RescaleSlope, "2")
			d.Set(tag.RescaleIntercept, "-1024")
			window(d, 0, 2048, "LINEAR_EXACT") // units -1024, 0, 1024
		}, nil, []uint8{0, 128, 255}},
		{"signed", words(-100, 0, 100), func(d *dicom.Dataset) { signed(d); window(d, 0, 200, "LINEAR_EXACT") }, nil, []uint8{0, 128, 255}},
		{"signed of 12 bits beside an overlay's bits", words(0xF000|0xF9C, 0, 0xF000|100), func(d *dicom.Dataset) {
			signed(d)
			d.Set(tag.BitsStored, 12)
			d.Set(tag.HighBit, 11)
			window(d, 0, 200, "LINEAR_EXACT")
		}, nil, []uint8{0, 128, 255}},
		{"MONOCHROME1", words(0, 50, 100), func(d *dicom.Dataset) {
			d.Set(tag.PhotometricInterpretation, "MONOCHROME1")
			window(d, 50, 100, "LINEAR_EXACT")
		}, nil, []uint8{255, 128, 0}},
		{"INVERSE", words(0, 50, 100), func(d *dicom.Dataset) {
			d.Set(tag.PresentationLUTShape, "INVERSE")
			window(d, 50, 100, "LINEAR_EXACT")
		}, nil, []uint8{255, 128, 0}},
		{"MONOCHROME1 with INVERSE is inverted once", words(0, 50, 100), func(d *dicom.Dataset) {
			d.Set(tag.PhotometricInterpretation, "MONOCHROME1")
			d.Set(tag.PresentationLUTShape, "INVERSE")
			window(d, 50, 100, "LINEAR_EXACT")
		}, nil, []uint8{255, 128, 0}},
		{"Modality LUT Sequence", words(9, 10, 11, 12, 13), func(d *dicom.Dataset) {
			d.SetItems(tag.ModalityLUTSequence, lutItem(dicom.US, 10, 16, 0, 50, 100))
			window(d, 50, 100, "LINEAR_EXACT")
		}, nil, []uint8{0, 0, 128, 255, 255}},
		{"VOI LUT Sequence of 12 bits", words(99, 100, 101, 102), func(d *dicom.Dataset) {
			d.SetItems(tag.VOILUTSequence, lutItem(dicom.US, 100, 12, 0, 2048, 4095))
		}, nil, []uint8{0, 0, 128, 255}},
		{"VOI LUT Sequence that maps negative values", words(-2, -1, 0), func(d *dicom.Dataset) {
			signed(d)
			d.SetItems(tag.VOILUTSequence, lutItem(dicom.SS, -2, 8, 0, 51, 255))
		}, nil, []uint8{0, 51, 255}},
		{"VOI LUT of bytes", words(0, 1, 2, 3), func(d *dicom.Dataset) {
			item := lutItem(dicom.US, 0, 8, 0, 0, 0, 0)
			item.SetVR(tag.LUTData, dicom.OW, []byte{0, 85, 170, 255})
			d.SetItems(tag.VOILUTSequence, item)
		}, nil, []uint8{0, 85, 170, 255}},
		{"window before VOI LUT Sequence", words(0, 50, 100), func(d *dicom.Dataset) {
			d.SetItems(tag.VOILUTSequence, lutItem(dicom.US, 0, 8, 7, 7))
			window(d, 50, 100, "LINEAR_EXACT")
		}, nil, []uint8{0, 128, 255}},
		{"8 bits without a window as they are", []byte{0, 1, 128, 255}, bits8, nil, []uint8{0, 1, 128, 255}},
		{"no window: from the pixels", words(1000, 1500, 2000), nil, nil, []uint8{0, 128, 255}},
		{"width 0: from the pixels", words(1000, 1500, 2000), func(d *dicom.Dataset) { window(d, 10, 0, "") }, nil, []uint8{0, 128, 255}},
		{"negative width: from the pixels", words(1000, 1500, 2000), func(d *dicom.Dataset) { window(d, 10, -5, "SIGMOID") }, nil, []uint8{0, 128, 255}},
		{"no window, all the same", words(7, 7, 7), nil, nil, []uint8{0, 0, 0}},
		{"padding does not count", words(1000, 0, 2000, 1500), func(d *dicom.Dataset) { d.SetVR(tag.PixelPaddingValue, dicom.US, 0) }, nil, []uint8{0, 0, 255, 128}},
		{"negative slope", words(0, 50, 100), func(d *dicom.Dataset) { d.Set(tag.RescaleSlope, "-1") }, nil, []uint8{255, 128, 0}},
		{"a narrow LINEAR window of small numbers", words(0, 50, 100), func(d *dicom.Dataset) {
			d.Set(tag.RescaleSlope, "0.001")
			window(d, "0.05", "0.1", "LINEAR")
		}, nil, []uint8{0, 128, 255}},
		{"32 bits unsigned", append(append(words(0, 0), words(0, 0x8000)...), words(0xFFFF, 0xFFFF)...), func(d *dicom.Dataset) {
			d.Set(tag.BitsAllocated, 32)
			d.Set(tag.BitsStored, 32)
			d.Set(tag.HighBit, 31)
			window(d, "2147483648", "4294967295", "LINEAR_EXACT")
		}, nil, []uint8{0, 128, 255}},
		{"32 bits signed, far apart", append(append(words(0, 0x8000), words(0, 0)...), words(0xFFFF, 0x7FFF)...), func(d *dicom.Dataset) {
			signed(d)
			d.Set(tag.BitsAllocated, 32)
			d.Set(tag.BitsStored, 32)
			d.Set(tag.HighBit, 31)
		}, nil, []uint8{0, 128, 255}},
		{"1 bit", []byte{0b0110, 0}, func(d *dicom.Dataset) {
			d.Set(tag.BitsAllocated, 1)
			d.Set(tag.BitsStored, 1)
			d.Set(tag.HighBit, 0)
		}, nil, []uint8{0, 255, 255, 0}},
		{"float, zero stands for nothing", floats32(0, 1.5, 2, 2.5), float32s, nil, []uint8{0, 0, 128, 255}},
		{"what is no number is the least", floats32(float32(math.NaN()), 1, 2, 3), func(d *dicom.Dataset) {
			float32s(d)
			d.Set(tag.PresentationLUTShape, "INVERSE")
		}, nil, []uint8{255, 255, 128, 0}},
		{"double", floats64(-1e300, 0, 1e300), func(d *dicom.Dataset) {
			float32s(d)
			d.SetVR(tag.DoubleFloatPixelData, dicom.OD, d.Bytes(tag.FloatPixelData))
			d.Delete(tag.FloatPixelData)
		}, &render.Window{Width: 2e300, Function: render.LinearExact}, []uint8{0, 128, 255}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := object(1, len(c.want), c.pixels, c.set)
			for _, syntax := range []string{uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian} {
				img, err := frame(scan(t, d, syntax), 0, c.w)
				if err != nil {
					t.Fatal(err)
				}
				if got := img.(*image.Gray).Pix; !bytes.Equal(got, c.want) {
					t.Errorf("%s: got %v, want %v", syntax, got, c.want)
				}
			}
		})
	}
}

func scan(t testing.TB, d *dicom.Dataset, syntax string) *dicom.File {
	t.Helper()
	var buf bytes.Buffer
	if err := dicom.Write(&buf, d, syntax); err != nil {
		t.Fatal(err)
	}
	return archivetest.Scan(t, buf.Bytes())
}

func floats32(values ...float32) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, values)
	if err != nil {
		panic(err)
	}
	return b
}

func floats64(values ...float64) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, values)
	if err != nil {
		panic(err)
	}
	return b
}

// float32s moves the pixels into Float Pixel Data.
func float32s(d *dicom.Dataset) {
	d.SetVR(tag.FloatPixelData, dicom.OF, d.Bytes(tag.PixelData))
	for _, t := range []tag.Tag{tag.PixelData, tag.BitsStored, tag.HighBit, tag.PixelRepresentation} {
		d.Delete(t)
	}
	d.Set(tag.BitsAllocated, 32)
}

// TestColour holds colours against values computed by hand from PS3.3 C.7.6.3.1.2 and C.7.9.
func TestColour(t *testing.T) {
	three := func(photometric string, planar int) func(*dicom.Dataset) {
		return func(d *dicom.Dataset) {
			bits8(d)
			d.Set(tag.SamplesPerPixel, 3)
			d.Set(tag.PhotometricInterpretation, photometric)
			d.Set(tag.PlanarConfiguration, planar)
		}
	}
	palette := func(first, bits int, data ...int) func(*dicom.Dataset) {
		return func(d *dicom.Dataset) {
			d.Set(tag.PhotometricInterpretation, "PALETTE COLOR")
			n := len(data) / 3
			for i, p := range [][2]tag.Tag{
				{tag.RedPaletteColorLookupTableDescriptor, tag.RedPaletteColorLookupTableData},
				{tag.GreenPaletteColorLookupTableDescriptor, tag.GreenPaletteColorLookupTableData},
				{tag.BluePaletteColorLookupTableDescriptor, tag.BluePaletteColorLookupTableData},
			} {
				d.SetVR(p[0], dicom.US, n, first, bits)
				d.SetVR(p[1], dicom.OW, words(data[i*n:(i+1)*n]...))
			}
		}
	}
	for _, c := range []struct {
		name   string
		pixels []byte
		set    func(*dicom.Dataset)
		want   []uint8 // RGB of two pixels
	}{
		{"RGB by pixel", []byte{1, 2, 3, 4, 5, 6}, three("RGB", 0), []uint8{1, 2, 3, 4, 5, 6}},
		{"RGB by plane", []byte{1, 4, 2, 5, 3, 6}, three("RGB", 1), []uint8{1, 2, 3, 4, 5, 6}},
		{"RGB of 16 bits", words(0, 0x8000, 0xFFFF, 0x100, 0, 0), func(d *dicom.Dataset) {
			d.Set(tag.SamplesPerPixel, 3)
			d.Set(tag.PhotometricInterpretation, "RGB")
			d.Set(tag.PlanarConfiguration, 0)
		}, []uint8{0, 128, 255, 1, 0, 0}},
		// Red is Y 76, Cb 85, Cr 255: R = Y+1.402(Cr-128) = 254, G = Y-0.344(Cb-128)-0.714(Cr-128) = 0, B = Y+1.772(Cb-128) = 0.
		{"YBR_FULL", []byte{76, 85, 255, 200, 128, 128}, three("YBR_FULL", 0), []uint8{254, 0, 0, 200, 200, 200}},
		{"YBR_FULL_422", []byte{76, 150, 85, 255}, three("YBR_FULL_422", 0), []uint8{254, 0, 0, 255, 74, 74}},
		{"palette of 16 bits", words(10, 12), palette(10, 16, 0x1234, 0, 0xFF00, 0x5600, 0, 0, 0, 0, 0x7F80), []uint8{0x12, 0x56, 0, 0xFF, 0, 0x7F}},
		{"palette, values outside", words(0, 99), palette(10, 16, 0x1100, 0, 0x2200, 0x3300, 0, 0x4400, 0x5500, 0, 0x6600), []uint8{0x11, 0x33, 0x55, 0x22, 0x44, 0x66}},
		{"palette of 8 bits that calls itself 16", words(0, 1), palette(0, 16, 1, 2, 3, 4, 5, 255), []uint8{1, 3, 5, 2, 4, 255}},
		{"palette of 8 bits", words(0, 1), palette(0, 8, 1, 2, 3, 4, 5, 255), []uint8{1, 3, 5, 2, 4, 255}},
		// 2 discrete values 0, 0x1000; 3 linear ones to 0x4000; a copy of the first segment.
		{"segmented palette", words(3, 6), func(d *dicom.Dataset) {
			palette(0, 16, 0, 0, 0)(d)
			data := words(0, 2, 0, 0x1000, 1, 3, 0x4000, 2, 1, 0, 0)
			for _, p := range [][3]tag.Tag{
				{tag.RedPaletteColorLookupTableDescriptor, tag.RedPaletteColorLookupTableData, tag.SegmentedRedPaletteColorLookupTableData},
				{tag.GreenPaletteColorLookupTableDescriptor, tag.GreenPaletteColorLookupTableData, tag.SegmentedGreenPaletteColorLookupTableData},
				{tag.BluePaletteColorLookupTableDescriptor, tag.BluePaletteColorLookupTableData, tag.SegmentedBluePaletteColorLookupTableData},
			} {
				d.SetVR(p[0], dicom.US, 7, 0, 16)
				d.Delete(p[1])
				d.SetVR(p[2], dicom.OW, data)
			}
		}, []uint8{0x30, 0x30, 0x30, 0x10, 0x10, 0x10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, err := frame(scan(t, object(1, 2, c.pixels, c.set), uid.ExplicitVRLittleEndian), 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []uint8
			for i, v := range img.(*image.RGBA).Pix {
				if i%4 != 3 {
					got = append(got, v)
				} else if v != 255 {
					t.Errorf("alpha of pixel %d is %d, want 255", i/4, v)
				}
			}
			if !bytes.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestFunctionalGroups renders frames whose window and rescale stand in their functional groups.
func TestFunctionalGroups(t *testing.T) {
	group := func(sequence tag.Tag, set func(*dicom.Dataset)) *dicom.Dataset {
		item, outer := dicom.New(), dicom.New()
		set(item)
		outer.SetItems(sequence, item)
		return outer
	}
	d := object(1, 2, words(0, 100, 0, 100), func(d *dicom.Dataset) {
		d.Set(tag.NumberOfFrames, 2)
		window(d, 1, 2, "") // of the top level, which does not count
		d.SetItems(tag.SharedFunctionalGroupsSequence, group(tag.PixelValueTransformationSequence, func(i *dicom.Dataset) {
			i.Set(tag.RescaleSlope, "2")
			i.Set(tag.RescaleIntercept, "0")
		}))
		d.SetItems(tag.PerFrameFunctionalGroupsSequence,
			group(tag.FrameVOILUTSequence, func(i *dicom.Dataset) { window(i, 100, 200, "LINEAR_EXACT") }),
			group(tag.FrameVOILUTSequence, func(i *dicom.Dataset) { window(i, 200, 400, "LINEAR_EXACT") }))
	})
	f := scan(t, d, uid.ExplicitVRLittleEndian)
	for n, want := range [][]uint8{{0, 255}, {0, 128}} {
		img, err := frame(f, n, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := img.(*image.Gray).Pix; !bytes.Equal(got, want) {
			t.Errorf("frame %d: got %v, want %v", n+1, got, want)
		}
	}
	if _, err := frame(f, 2, nil); dicomweb.KindOf(err) != dicomweb.NotFound {
		t.Errorf("frame 3: got %v, want not found", err)
	}
}

// TestRefused renders what cannot be: always an error that says so, never a panic.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*dicom.Dataset)
	}{
		{"four samples", func(d *dicom.Dataset) { d.Set(tag.SamplesPerPixel, 4); d.Set(tag.Columns, 1) }},
		{"RGB of one sample", func(d *dicom.Dataset) { d.Set(tag.PhotometricInterpretation, "RGB") }},
		{"unknown colours", func(d *dicom.Dataset) { d.Set(tag.PhotometricInterpretation, "HSV") }},
		{"palette without data", func(d *dicom.Dataset) { d.Set(tag.PhotometricInterpretation, "PALETTE COLOR") }},
		{"64 bits", func(d *dicom.Dataset) { d.Set(tag.BitsAllocated, 64); d.Set(tag.Columns, 1) }},
		{"VOI LUT without data", func(d *dicom.Dataset) {
			item := lutItem(dicom.US, 0, 16, 1, 2, 3)
			item.SetVR(tag.LUTData, dicom.OW, []byte{1})
			d.SetItems(tag.VOILUTSequence, item)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, err := frame(scan(t, object(1, 4, make([]byte, 8), c.set), uid.ExplicitVRLittleEndian), 0, nil)
			if dicomweb.KindOf(err) != dicomweb.NotAcceptable {
				t.Errorf("got %v, %v, want an error of kind not acceptable", img, err)
			}
		})
	}
}

func ExampleFrame() {
	var buf bytes.Buffer
	if err := dicom.Write(&buf, object(1, 3, words(0, 50, 100), func(d *dicom.Dataset) { window(d, 50, 100, "LINEAR_EXACT") }), uid.ExplicitVRLittleEndian); err != nil {
		panic(err)
	}
	f, err := dicom.Scan(bytes.NewReader(buf.Bytes()), int64(buf.Len()), dicom.Limits{})
	if err != nil {
		panic(err)
	}
	img, err := frame(f, 0, nil)
	fmt.Println(img.(*image.Gray).Pix, err)
	// Output: [0 128 255] <nil>
}
