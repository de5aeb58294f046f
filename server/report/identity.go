package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/iod"
	"mome/experts"
	"mome/fusion"
	"mome/server/words"
)

// algorithm returns the algorithm's identity as the objects write it.
func algorithm(a *fusion.Assessment) iod.Algorithm {
	f := a.Algorithm
	alg := iod.Algorithm{Name: f.Name, Version: f.Version, Manufacturer: f.Manufacturer, DeviceUID: f.DeviceUID}
	if f.WeightsSHA256 != "" {
		alg.Parameters = append(alg.Parameters, "weights-sha256="+f.WeightsSHA256)
	}
	if f.OperatingPoint > 0 {
		alg.Parameters = append(alg.Parameters, "operating-point="+number(f.OperatingPoint))
	}
	alg.Parameters = append(alg.Parameters, "modalities="+strings.Join(present(a), ","))
	for _, name := range slices.Sorted(maps.Keys(f.Parameters)) {
		alg.Parameters = append(alg.Parameters, clean(name+"="+f.Parameters[name]))
	}
	return alg
}

// present returns the modalities that the analysis had, in the order of the house.
func present(a *fusion.Assessment) []string {
	var names []string
	for _, m := range experts.Modalities {
		if a.Present[m] {
			names = append(names, string(m))
		}
	}
	return names
}

// key identifies the analysis: what was read, by what, with which settings, and how it ended (a time-out that succeeds
// at the second attempt is another result). What came out is not part of it, but for what the experts' settings state.
// Where nothing came out, everything in the study counts as read: what is said of it then is said of all of it.
func key(p Part, src Source) string {
	a := p.Assessment
	var inputs []string
	seen := map[string]bool{}
	add := func(instance string) {
		if instance != "" && !seen[instance] {
			seen[instance] = true
			inputs = append(inputs, instance+"="+src.Digests[instance])
		}
	}
	for _, s := range a.Series {
		for _, i := range s.Instances {
			add(i)
		}
	}
	for _, s := range a.Reference.Slices {
		add(s.SOPInstanceUID)
	}
	if a.Outcome == fusion.NotDone {
		for i := range src.Digests {
			add(i)
		}
	}
	slices.Sort(inputs)
	alg := algorithm(a)
	parts := []string{"analysis", a.StudyUID, strconv.Itoa(len(inputs))}
	parts = append(parts, inputs...)
	parts = append(parts, alg.DeviceUID, alg.Name, alg.Version, src.Node.Manufacturer, src.Node.Model, src.Node.SoftwareVersion)
	parts = append(parts, alg.Parameters...)
	parts = append(parts, string(a.Outcome), a.Reason.Code)
	parts = append(parts, settings(p, src)...)
	parts = append(parts, expertSettings(a)...)
	return uid.From(parts...)
}

// settings are what else is asked for that changes what is written.
func settings(p Part, src Source) (names []string) {
	for _, m := range p.Maps {
		names = append(names, "map="+string(m.Kind))
	}
	for _, picture := range p.Pictures {
		names = append(names, "picture="+picture.Description)
	}
	for _, s := range []struct {
		name string
		on   bool
	}{{"label map", src.LabelMap}, {"derived MR", src.MapsAsMR}, {"whole maps", src.WholeMaps}, {"reference phase", p.ReferencePhase != nil}} {
		if s.on {
			names = append(names, s.name)
		}
	}
	if tag := src.Language.Tag(); tag != words.English.Tag() {
		names = append(names, "language="+tag)
	}
	if src.NoCenter {
		names = append(names, "no center")
	}
	return names
}

// instance returns the place of the object of a kind ("SR", "SEG"), in a series of its own.
func (b *build) instance(kind, class string) iod.Instance {
	return iod.Instance{
		StudyUID:       b.a.StudyUID,
		SeriesUID:      uid.From("series", kind, b.key),
		SOPClassUID:    class,
		SOPInstanceUID: uid.From("instance", kind, b.key),
	}
}

// tracking returns given if it can be used, and otherwise a Tracking UID that belongs to the analysis and label.
func (b *build) tracking(given, label string) string {
	if uid.Valid(given) {
		return given
	}
	return uid.From("tracking", b.key, label)
}

// predecessors returns the older documents of a class in a stable order.
func (b *build) predecessors(class string) []iod.Instance {
	older := slices.DeleteFunc(slices.Clone(b.src.Predecessors), func(i iod.Instance) bool { return i.SOPClassUID != class })
	slices.SortFunc(older, func(x, y iod.Instance) int {
		return cmp.Or(cmp.Compare(x.StudyUID, y.StudyUID), cmp.Compare(x.SeriesUID, y.SeriesUID),
			cmp.Compare(x.SOPInstanceUID, y.SOPInstanceUID))
	})
	return older
}

// number writes f in the shortest form that reads back the same.
func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// clean replaces control characters, which no text of DICOM may hold, by spaces.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
}
