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

// drawn is what a picture of a Segmentation is made of.
type drawn struct {
	frames []int // of the Segmentation, from 0
	header frameHeader
	source archive.Instance // the image below them, zero for none
	frame  int              // of source, from 0
}

// plan tells what is drawn for frame n, which counts from 1, or for 0 for all segments of the plane that has the most frames.
// The image below is the one that the frame was made from: Derivation Image, PS3.3 C.7.6.16.2.6.
func (s *Service) plan(ctx context.Context, i archive.Instance, o opened, n int) (d drawn, err error) {
	d.frames = []int{n - 1}
	if n == 0 {
		d.frames = fullestPlane(o.file, o.frames.Count())
	}
	d.header = headerOf(o.file, d.frames[0])
	from := d.header.group(tag.DerivationImageSequence).Item(tag.SourceImageSequence)
	d.frame = from.IntOr(tag.ReferencedFrameNumber, 1) - 1
	d.source, err = s.find(ctx, i.Study, o.file.Dataset, from.String(tag.ReferencedSOPInstanceUID))
	return d, err
}

// segmentation renders a Segmentation over the image that it was drawn on, where that is stored, else on black. The header
// is that of what gives the picture its pixels.
func (s *Service) segmentation(ctx context.Context, i archive.Instance, o opened, n int, w *Window) (image.Image, frameHeader, error) {
	d, err := s.plan(ctx, i, o, n)
	if err != nil {
		return nil, d.header, err
	}
	under, on, err := s.under(ctx, d, w)
	if err != nil {
		return nil, d.header, err
	}
	img, err := Segments(o.file, o.frames, d.frames, under.img, on)
	if under.img != nil {
		return img, under.header, err
	}
	return img, d.header, err
}

// fullestPlane returns the frames of the plane that has the most of them, of several such the middle one. Frames that do not
// tell where they lie have a plane each.
func fullestPlane(f *dicom.File, count int) []int {
	told := min(count, len(f.Dataset.Items(tag.PerFrameFunctionalGroupsSequence))) // frames of a bit each may be many
	if told == 0 {
		return []int{count / 2}
	}
	var planes [][]int
	byPosition := map[string]int{}
	for n := range told {
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

// under renders the image below a segmentation. One that is not stored, cannot be decoded or lies elsewhere is no error: the
// segments are shown on black then.
func (s *Service) under(ctx context.Context, d drawn, w *Window) (b background, on Mapping, err error) {
	if k, _ := kindOf(d.source); k != picture {
		return b, on, nil
	}
	o, err := s.open(ctx, d.source)
	if err != nil {
		return b, on, unlessRefused(err)
	}
	defer o.Close()
	h := headerOf(o.file, d.frame)
	on, ok := mappingOf(h, d.header)
	if !ok {
		return b, on, nil
	}
	img, err := Frame(o.file, o.frames, d.frame, w)
	if err != nil {
		return b, on, unlessRefused(err)
	}
	return background{img, h}, on, nil
}

// unlessRefused returns err unless it says that an object cannot be rendered.
func unlessRefused(err error) error {
	if refused(err) || err != nil && dicomweb.KindOf(err) == dicomweb.NotFound {
		return nil
	}
	return err
}

// find returns an instance of the study that a segmentation refers to, zero when it is not stored. Its series is told by
// Referenced Series Sequence; where that is missing or wrong the whole study is searched.
func (s *Service) find(ctx context.Context, study string, seg *dicom.Dataset, instance string) (archive.Instance, error) {
	if instance == "" {
		return archive.Instance{}, nil
	}
	refs := []dicomweb.Ref{}
	for _, series := range seg.Items(tag.ReferencedSeriesSequence) {
		ref := dicomweb.Ref{Study: study, Series: series.String(tag.SeriesInstanceUID), Instance: instance}
		if ref.Series != "" && ref.Validate() == nil {
			refs = append(refs, ref)
		}
	}
	for _, ref := range append(refs, dicomweb.Ref{Study: study}) {
		list, err := s.cfg.Archive.Instances(ctx, ref)
		if err != nil && dicomweb.KindOf(err) != dicomweb.NotFound {
			return archive.Instance{}, err
		}
		if k := slices.IndexFunc(list, func(i archive.Instance) bool { return i.Instance == instance }); k >= 0 {
			return list[k], nil
		}
	}
	return archive.Instance{}, nil
}
