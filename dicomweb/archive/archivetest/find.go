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
