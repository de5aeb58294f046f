package archivetest

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

// population makes studies whose attributes come from small vocabularies, so that keys find some and miss some.
func population(t *testing.T, rng *rand.Rand) []*index.Entry {
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	var out []*index.Entry
	for s := range 25 {
		study := []any{
			tag.StudyDate, pick("20240105", "20240106", "20240210", "", "2024.02.11"),
			tag.StudyTime, pick("101500", "1015", "101500.5", "", "230000"),
			tag.PatientName, pick("Doe^Jane", "DOE^JOHN", "Müller^Anna=山田^花子", "", "O'Neil^Mary Ann", "Doe[x]"),
			tag.PatientID, pick("P1", "P2", "p1", "A*B", ""),
			tag.AccessionNumber, pick("X1", "X2", ""),
			tag.StudyDescription, pick("MR Breast", "breast, left", ""),
			tag.PatientAge, pick("045Y", ""),
			tag.SpecificCharacterSet, "ISO_IR 192",
		}
		for e := range 1 + rng.IntN(3) {
			series := append(slices.Clone(study),
				tag.Modality, pick("MR", "MR", "SEG", "SR"),
				tag.SeriesNumber, pick("1", "02", "", "10"),
				tag.SeriesDescription, pick("T2 tra", "dyn"),
				tag.ProtocolName, pick("breast", ""),
				tag.PerformedProcedureStepStartDate, pick("20240105", ""))
			requests := rng.IntN(3)
			var items []*dicom.Dataset
			for range requests {
				d := dicom.New()
				d.Set(tag.RequestedProcedureID, pick("R1", "R2"))
				d.Set(tag.ScheduledProcedureStepID, pick("S1", "S2"))
				items = append(items, d)
			}
			for i := range 1 + rng.IntN(4) {
				values := append(slices.Clone(series), tag.InstanceNumber, pick("1", "2", "11", ""), tag.EchoTime, pick("1.5", "90"),
					tag.AcquisitionDateTime, pick("20240105101500", "20240210"))
				out = append(out, Entry(t, Ref(fmt.Sprint(s), fmt.Sprint(e), fmt.Sprint(i)), len(out), func(ds *dicom.Dataset) {
					set(values...)(ds)
					if len(items) > 0 {
						ds.SetItems(tag.RequestAttributesSequence, items...)
					}
				}))
			}
		}
	}
	return out
}

// questions are query strings that between them use every way of matching.
func questions() []string {
	return []string{
		"", "PatientID=P1", "PatientID=P?", "PatientID=*", `PatientID=P1\P2`, "PatientID=A*B", "PatientName=doe*", "PatientName=doe^jane",
		"PatientName=Doe[x]", "PatientName=mull*", "PatientName=*=山田*", "PatientName=*花子", "fuzzymatching=true&PatientName=ann", "fuzzymatching=true&PatientName=neil mary",
		`emptyvaluematching=true&PatientName=""`, `emptyvaluematching=true&StudyDescription=""`, "StudyDate=20240105", "StudyDate=20240105-20240131", "StudyDate=-20240106",
		"StudyDate=20240106-", "StudyTime=1015", "StudyTime=1000-1015", "StudyDate=20240105-20240210&StudyTime=1030-1000", "StudyDate=20240105-&StudyTime=-1100",
		"StudyDescription=breast, left", "StudyDescription=*reast*", "ModalitiesInStudy=SEG", `ModalitiesInStudy=SR\SEG`, "NumberOfStudyRelatedSeries=2", "PatientAge=045Y",
		"Modality=SR", "SeriesNumber=2", "SeriesDescription=T2*", "ProtocolName=breast", "PerformedProcedureStepStartDate=20240105", "NumberOfSeriesRelatedInstances=3",
		"RequestAttributesSequence.RequestedProcedureID=R1", "RequestAttributesSequence.RequestedProcedureID=R1&RequestAttributesSequence.ScheduledProcedureStepID=S2",
		"InstanceNumber=1", "EchoTime=1.50", "AcquisitionDateTime=202401-202401", "Modality=MR&EchoTime=90", "PatientName=doe*&Modality=MR&InstanceNumber=11",
		"ProtocolName=breast&EchoTime=90&InstanceNumber=2", "00091001=x", "Rows=4", "SOPClassUID=1.2",
		"SOPInstanceUID=" + Ref("3", "0", "0").Instance + "," + Ref("4", "0", "0").Instance,
		"StudyInstanceUID=" + Ref("3", "", "").Study + `\` + Ref("5", "", "").Study,
	}
}

// model answers queries by package query's rules alone.
type model struct{ entries []*index.Entry }

// levels returns the data sets that decide about an entry, by level.
func (m *model) levels(e *index.Entry) [3]*dicom.Dataset {
	study, series := e.Study.Clone(), e.Series.Clone()
	modalities, members, inStudy, inSeries := map[string]bool{}, 0, 0, map[string]bool{}
	for _, o := range m.entries {
		if o.Ref.Study == e.Ref.Study {
			inStudy++
			inSeries[o.Ref.Series] = true
			modalities[o.Modality] = true
			if o.Ref.Series == e.Ref.Series {
				members++
			}
		}
	}
	var list []any
	for k := range modalities {
		list = append(list, k)
	}
	study.Set(tag.ModalitiesInStudy, list...)
	study.Set(tag.NumberOfStudyRelatedSeries, len(inSeries))
	study.Set(tag.NumberOfStudyRelatedInstances, inStudy)
	series.Set(tag.NumberOfSeriesRelatedInstances, members)
	return [3]*dicom.Dataset{study, series, e.Header}
}

// find returns the UIDs of what q finds, in order.
func (m *model) find(q query.Query) []string {
	type hit struct {
		sort []string
		uid  string
	}
	var hits []hit
	seen := map[string]bool{}
	for _, e := range m.entries {
		if q.Ref.Study != "" && q.Ref.Study != e.Ref.Study || q.Ref.Series != "" && q.Ref.Series != e.Ref.Series {
			continue
		}
		uid := [...]string{e.Ref.Study, e.Ref.Series, e.Ref.Instance}[q.Level]
		yes := !seen[uid]
		for l, ds := range m.levels(e) {
			yes = yes && query.Meets(ds, q.On(query.Level(l))) == query.Yes
		}
		if !yes {
			continue
		}
		seen[uid] = true
		number := func(n int) string { return fmt.Sprintf("%05d", n) }
		order := []string{
			reverse(index.Column(e.Study, tag.StudyDate)), reverse(index.Column(e.Study, tag.StudyTime)), e.Ref.Study,
			number(e.SeriesNumber), e.Ref.Series, number(e.Number), e.Ref.Instance,
		}
		hits = append(hits, hit{order[:[...]int{3, 5, 7}[q.Level]], uid})
	}
	slices.SortFunc(hits, func(a, b hit) int { return slices.CompareFunc(a.sort, b.sort, cmp.Compare[string]) })
	var out []string
	for _, h := range hits {
		out = append(out, h.uid)
	}
	return out
}

// reverse returns text that sorts the other way round, digits only.
func reverse(s string) string {
	return strings.Map(func(r rune) rune { return '9' - (r - '0') }, s) + "~"
}

// findDifferential compares every question at every level with the model, whole and in pages.
func findDifferential(t *testing.T, x archive.Index) {
	m := &model{entries: population(t, rand.New(rand.NewPCG(1, 2)))}
	add(t, x, m.entries...)
	uidOf := [...]tag.Tag{tag.StudyInstanceUID, tag.SeriesInstanceUID, tag.SOPInstanceUID}
	matched := 0
	for level := query.Study; level <= query.Instance; level++ {
		for _, ref := range []dicomweb.Ref{{}, {Study: Ref("3", "", "").Study}} {
			if level == query.Study && ref.Study != "" {
				continue
			}
			for _, raw := range questions() {
				q, _, err := query.Parse(raw, level, ref)
				if err != nil {
					t.Fatalf("parse %s: %v", raw, err)
				}
				want := m.find(q)
				matched += len(want)
				for _, page := range [][2]int{{0, 0}, {3, 0}, {3, 2}, {1, 1000}, {-1, 0}, {len(want), 0}} {
					q.Limit, q.Offset = page[0], page[1]
					results, remaining, err := x.Find(context.Background(), q, nil)
					if err != nil {
						t.Fatalf("find %s?%s: %v", level, raw, err)
					}
					from := min(q.Offset, len(want))
					to := len(want)
					if q.Limit > 0 {
						to = min(from+q.Limit, to)
					} else if q.Limit < 0 {
						to = from
					}
					var got []string
					for _, ds := range results {
						got = append(got, ds.String(uidOf[level]))
					}
					if !slices.Equal(got, want[from:to]) || remaining != len(want)-to {
						t.Errorf("%s%s?%s limit %d offset %d: got %d results %v and %d remaining, want %d %v and %d",
							ref.Study, level, raw, q.Limit, q.Offset, len(got), got, remaining, to-from, want[from:to], len(want)-to)
					}
				}
			}
		}
	}
	if matched < 1000 {
		t.Errorf("the questions match %d times in all: they decide nothing", matched)
	}
}

// answers looks at what the results of a search hold.
func answers(t *testing.T, x archive.Index) {
	item := dicom.New()
	item.Set(tag.RequestedProcedureID, "R1")
	ref := Ref("A", "1", "1")
	add(t, x, Entry(t, ref, 1, func(ds *dicom.Dataset) {
		ds.Set(tag.SpecificCharacterSet, "ISO_IR 192")
		ds.Set(tag.PatientName, "Müller^Änne")
		ds.Set(tag.StudyDescription, "MR Breast")
		ds.Set(tag.Manufacturer, "ACME")
		ds.Set(tag.EchoTime, "1.50")
		ds.Set(tag.ImageType, "ORIGINAL", "PRIMARY")
		ds.SetItems(tag.RequestAttributesSequence, item)
		ds.SetVR(tag.New(0x0029, 0x0010), dicom.LO, "ACME")
		ds.SetVR(tag.New(0x0029, 0x1010), dicom.SH, "private")
	}))
	study := dicomweb.Ref{Study: ref.Study}
	for _, tc := range []struct {
		name  string
		level query.Level
		ref   dicomweb.Ref
		raw   string
		has   []tag.Tag // with a value
		empty []tag.Tag // without one
		lacks []tag.Tag
	}{
		{"study", query.Study, dicomweb.Ref{}, "",
			[]tag.Tag{tag.SpecificCharacterSet, tag.StudyInstanceUID, tag.PatientName, tag.StudyDate, tag.ModalitiesInStudy, tag.NumberOfStudyRelatedInstances, tag.InstanceAvailability},
			[]tag.Tag{tag.AccessionNumber, tag.ReferringPhysicianName, tag.PatientBirthDate, tag.PatientSex, tag.StudyID},
			[]tag.Tag{tag.Modality, tag.SOPInstanceUID, tag.PatientWeight, tag.RetrieveURL, tag.SOPClassesInStudy}},
		{"study, all", query.Study, dicomweb.Ref{}, "includefield=all", []tag.Tag{tag.StudyDescription, tag.SOPClassesInStudy}, nil, []tag.Tag{tag.Modality, tag.PatientWeight}},
		{"study, attributes of below", query.Study, dicomweb.Ref{}, "includefield=Modality,EchoTime", nil, nil, []tag.Tag{tag.Modality, tag.EchoTime}},
		{"key without a value comes back", query.Study, dicomweb.Ref{}, "StudyDescription=", []tag.Tag{tag.StudyDescription}, nil, nil},
		{"series of all studies", query.Series, dicomweb.Ref{}, "",
			[]tag.Tag{tag.SeriesInstanceUID, tag.Modality, tag.PatientName, tag.StudyDate, tag.NumberOfSeriesRelatedInstances, tag.NumberOfStudyRelatedSeries, tag.RequestAttributesSequence},
			[]tag.Tag{tag.SeriesNumber}, []tag.Tag{tag.SOPInstanceUID, tag.Manufacturer, tag.SeriesDescription}},
		{"series of a study", query.Series, study, "includefield=00080070", []tag.Tag{tag.StudyInstanceUID, tag.Modality, tag.Manufacturer}, nil, []tag.Tag{tag.PatientName}},
		{"series of a study, asked for its name", query.Series, study, "includefield=PatientName", []tag.Tag{tag.PatientName}, nil, nil},
		{"instances of all", query.Instance, dicomweb.Ref{}, "",
			[]tag.Tag{tag.SOPInstanceUID, tag.SOPClassUID, tag.Rows, tag.BitsAllocated, tag.Modality, tag.PatientName, tag.AvailableTransferSyntaxUID},
			[]tag.Tag{tag.InstanceNumber}, []tag.Tag{tag.EchoTime, tag.NumberOfFrames, tag.PixelData, tag.ImageType}},
		{"instances of a study", query.Instance, study, "includefield=EchoTime&includefield=00291010",
			[]tag.Tag{tag.Modality, tag.EchoTime, tag.New(0x0029, 0x1010)}, nil, []tag.Tag{tag.PatientName}},
		{"instances of a series", query.Instance, dicomweb.Ref{Study: ref.Study, Series: ref.Series}, "ImageType=PRIMARY",
			[]tag.Tag{tag.SOPInstanceUID, tag.SeriesInstanceUID, tag.StudyInstanceUID, tag.ImageType}, nil, []tag.Tag{tag.Modality, tag.PatientName}},
		{"instances, all", query.Instance, study, "includefield=all",
			[]tag.Tag{tag.EchoTime, tag.ImageType, tag.PatientName, tag.Manufacturer, tag.New(0x0029, 0x1010), tag.NumberOfStudyRelatedSeries}, nil, []tag.Tag{tag.PixelData}},
	} {
		results := find(t, x, tc.level, tc.ref, tc.raw)
		if len(results) != 1 {
			t.Errorf("%s: got %d results, want 1", tc.name, len(results))
			continue
		}
		ds := results[0]
		for _, k := range tc.has {
			if e := ds.Get(k); e == nil || len(e.Value) == 0 && len(e.Items) == 0 {
				t.Errorf("%s: %v %s: got %+v, want a value", tc.name, k, k.Keyword(), e)
			}
		}
		for _, k := range tc.empty {
			if e := ds.Get(k); e == nil || len(e.Value) > 0 {
				t.Errorf("%s: %v %s: got %+v, want it there without a value", tc.name, k, k.Keyword(), e)
			}
		}
		for _, k := range tc.lacks {
			if ds.Has(k) {
				t.Errorf("%s: %v %s: got it, want it not there", tc.name, k, k.Keyword())
			}
		}
		if got := ds.String(tag.PatientName); ds.Has(tag.PatientName) && got != "Müller^Änne" {
			t.Errorf("%s: name: got %q, want Müller^Änne", tc.name, got)
		}
	}
}
