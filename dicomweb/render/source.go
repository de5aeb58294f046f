package render

import (
	"context"
	"image"
	"slices"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
)

// segmentation renders a Segmentation over the image that it was drawn on, where that is stored, else on black: frame n,
// which counts from 1, or for 0 all segments of the plane that has the most frames.
func (s *Service) segmentation(ctx context.Context, i archive.Instance, o opened, n int, w *Window) (image.Image, frameHeader, error) {
	frames := []int{n - 1}
	if n == 0 {
		frames = fullestPlane(o.file, o.frames.Count())
	}
	h := headerOf(o.file, frames[0])
	under, on, err := s.under(ctx, i, h, w)
	if err != nil {
		return nil, h, err
	}
	img, err := Segments(o.file, o.frames, frames, under.img, on)
	if under.img != nil {
		h = under.header
	}
	return img, h, err
}

// fullestPlane returns the frames of the plane that has the most of them, of several such the middle one.
func fullestPlane(f *dicom.File, count int) []int {
	var planes [][]int
	byPosition := map[string]int{}
	for n := range count {
		position := headerOf(f, n).group(tag.PlanePositionSequence).Strings(tag.ImagePositionPatient)
		key := strings.Join(position, `\`)
		k, known := byPosition[key]
		if !known || len(position) == 0 {
			k = len(planes)
			byPosition[key] = k
			planes = append(planes, nil)
		}
		planes[k] = append(planes[k], n)
	}
	most := 0
	for _, p := range planes {
		most = max(most, len(p))
	}
	planes = slices.DeleteFunc(planes, func(p []int) bool { return len(p) < most })
	return planes[len(planes)/2]
}

// background is the image under a segmentation; img is nil where there is none.
type background struct {
	img    image.Image
	header frameHeader
}

// under renders the image that a frame of a segmentation was made from: Derivation Image, PS3.3 C.7.6.16.2.6. One that is
// not stored, cannot be decoded or lies elsewhere is no error: the segments are shown on black then.
func (s *Service) under(ctx context.Context, i archive.Instance, seg frameHeader, w *Window) (b background, on Mapping, err error) {
	source := seg.group(tag.DerivationImageSequence).Item(tag.SourceImageSequence)
	found, ok, err := s.find(ctx, i.Study, seg.top, source.String(tag.ReferencedSOPInstanceUID))
	if err != nil || !ok {
		return b, on, err
	}
	if k, _ := kindOf(found); k != picture {
		return b, on, nil
	}
	o, err := s.open(ctx, found)
	if err != nil {
		return b, on, unlessRefused(err)
	}
	defer o.Close()
	n := source.IntOr(tag.ReferencedFrameNumber, 1) - 1
	h := headerOf(o.file, n)
	if on, ok = mappingOf(h, seg); !ok {
		return b, on, nil
	}
	img, err := Frame(o.file, o.frames, n, w)
	if err != nil {
		return b, on, unlessRefused(err)
	}
	return background{img, h}, on, nil
}

// unlessRefused returns err unless it says that an object cannot be rendered.
func unlessRefused(err error) error {
	if k := dicomweb.KindOf(err); k == dicomweb.NotAcceptable || k == dicomweb.NotFound {
		return nil
	}
	return err
}

// find returns an instance of the study that a segmentation refers to: its series is told by Referenced Series Sequence,
// where that is missing or wrong the whole study is searched.
func (s *Service) find(ctx context.Context, study string, seg *dicom.Dataset, instance string) (found archive.Instance, ok bool, err error) {
	if instance == "" {
		return found, false, nil
	}
	for _, series := range append(seg.Items(tag.ReferencedSeriesSequence), nil) {
		ref := dicomweb.Ref{Study: study, Series: series.String(tag.SeriesInstanceUID)}
		if series != nil {
			if ref.Instance = instance; ref.Validate() != nil || ref.Series == "" {
				continue
			}
		}
		list, err := s.cfg.Archive.Instances(ctx, ref)
		if dicomweb.KindOf(err) == dicomweb.NotFound && err != nil {
			continue
		} else if err != nil {
			return found, false, err
		}
		if k := slices.IndexFunc(list, func(i archive.Instance) bool { return i.Instance == instance }); k >= 0 {
			return list[k], true, nil
		}
	}
	return found, false, nil
}
