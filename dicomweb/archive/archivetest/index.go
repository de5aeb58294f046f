package archivetest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/index"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/query"
)

// RunIndex tests an index against the contract of archive.Index. Open returns an empty index, which the test closes.
func RunIndex(t *testing.T, open func(t *testing.T) archive.Index) {
	for _, tc := range []struct {
		name string
		test func(*testing.T, archive.Index)
	}{
		{"instances", instances},
		{"numbers and modalities", numbers},
		{"first instance speaks", firstSpeaks},
		{"replace", replaceEntry},
		{"remove", removeEntries},
		{"revisions", revisions},
		{"rebuild", rebuild},
		{"add while rebuilding", addWhileRebuilding},
		{"rebuild that fails", rebuildFails},
		{"concurrent adds", concurrentAdds},
		{"transactions", transactions},
		{"whole files", wholeFiles},
		{"answers", answers},
		{"find as the rules say", findDifferential},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := open(t)
			defer func() {
				if err := x.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			tc.test(t, x)
		})
	}
}

// Entry returns the index entry of a test object, a source that was received n seconds after some begin.
func Entry(t testing.TB, ref dicomweb.Ref, n int, set func(*dicom.Dataset)) *index.Entry {
	t.Helper()
	b := File(t, Dataset(ref, set))
	e := index.New(Scan(t, b), ref, uid.MRImageStorage)
	e.Size, e.SHA256, e.Key, e.Source = int64(len(b)), fmt.Sprintf("%064d", n), "00/"+ref.Study+"/"+ref.Instance+".dcm", true
	e.Received = received(n)
	return e
}

func add(t *testing.T, x archive.Index, entries ...*index.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := x.Add(context.Background(), e); err != nil {
			t.Fatalf("add %s: %v", e.Path(), err)
		}
	}
}

// find runs a query string and returns the results.
func find(t *testing.T, x archive.Index, level query.Level, ref dicomweb.Ref, raw string) []*dicom.Dataset {
	t.Helper()
	q, _, err := query.Parse(raw, level, ref)
	if err != nil {
		t.Fatalf("parse %s: %v", raw, err)
	}
	results, _, err := x.Find(context.Background(), q, nil)
	if err != nil {
		t.Fatalf("find %s?%s: %v", level, raw, err)
	}
	return results
}

func one(t *testing.T, x archive.Index, level query.Level, raw string) *dicom.Dataset {
	t.Helper()
	results := find(t, x, level, dicomweb.Ref{}, raw)
	if len(results) != 1 {
		t.Fatalf("find %s?%s: got %d results, want 1", level, raw, len(results))
	}
	return results[0]
}

func set(values ...any) func(*dicom.Dataset) {
	return func(ds *dicom.Dataset) {
		for i := 0; i < len(values); i += 2 {
			ds.Set(values[i].(tag.Tag), values[i+1])
		}
	}
}

func instances(t *testing.T, x archive.Index) {
	ctx := context.Background()
	var want []index.Instance
	metadata := map[string][]byte{}
	for _, r := range []struct {
		series, instance string
		seriesNumber     int
		number           int
	}{{"late", "b", 12, 2}, {"late", "a", 12, 1}, {"early", "c", 2, 10}, {"early", "d", 2, 9}} {
		e := Entry(t, Ref("A", r.series, r.instance), len(want), set(tag.SeriesNumber, r.seriesNumber, tag.InstanceNumber, r.number))
		e.Result = r.instance == "c"
		add(t, x, e)
		want, metadata[e.Ref.Instance] = append(want, e.Instance), e.Metadata
	}
	add(t, x, Entry(t, Ref("B", "1", "1"), 9, nil))
	want = []index.Instance{want[3], want[2], want[1], want[0]} // by series number, then instance number
	for _, tc := range []struct {
		name string
		ref  dicomweb.Ref
		want []index.Instance
	}{
		{"study", Ref("A", "", ""), want},
		{"series", Ref("A", "early", ""), want[:2]},
		{"instance", want[3].Ref, want[3:]},
		{"another study's series", dicomweb.Ref{Study: Ref("B", "", "").Study, Series: Ref("A", "early", "").Series}, nil},
		{"unknown", Ref("C", "1", "1"), nil},
	} {
		if tc.name != "instance" {
			tc.ref.Instance = ""
		}
		if tc.name == "study" {
			tc.ref.Series = ""
		}
		got, err := x.Instances(ctx, tc.ref)
		if err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %+v, %v, want %+v", tc.name, got, err, tc.want)
		}
		n := 0
		if err := x.Headers(ctx, tc.ref, func(i index.Instance, h *dicom.Dataset) error {
			if i != tc.want[n] || h.String(tag.SOPInstanceUID) != i.Ref.Instance || !h.Has(tag.BitsAllocated) {
				t.Errorf("%s: header %d is not that of %s", tc.name, n, tc.want[n].Path())
			}
			n++
			return nil
		}); err != nil || n != len(tc.want) {
			t.Errorf("%s: got %d headers, %v, want %d", tc.name, n, err, len(tc.want))
		}
		prepared(t, x, tc.name, tc.ref, tc.want, metadata)
	}
	if got, ok, err := x.Instance(ctx, want[0].Ref.Instance); err != nil || !ok || got != want[0] {
		t.Errorf("by its UID: got %+v, %v, %v", got, ok, err)
	}
	if _, ok, err := x.Instance(ctx, "1.2.3"); err != nil || ok {
		t.Errorf("unknown UID: got %v, %v", ok, err)
	}
	n := 0
	if err := x.Each(ctx, func(index.Instance) error { n++; return nil }); err != nil || n != 5 {
		t.Errorf("each: got %d, %v, want 5", n, err)
	}
}

// prepared wants the members below ref to be want, each with the metadata that its entry brought.
func prepared(t *testing.T, x archive.Index, name string, ref dicomweb.Ref, want []index.Instance, metadata map[string][]byte) {
	t.Helper()
	members, err := x.Members(context.Background(), ref)
	if err != nil || len(members) != len(want) {
		t.Fatalf("%s: got %d members, %v, want %d", name, len(members), err, len(want))
	}
	n := 0
	if err := x.Prepared(context.Background(), members, func(m index.Member, got []byte) error {
		i := want[n]
		if m != members[n] || m.UID != i.Ref.Instance || m.SHA256 != i.SHA256 {
			t.Errorf("%s: member %d is %+v, want %s", name, n, m, i.Path())
		}
		if len(got) == 0 || !bytes.Equal(got, metadata[m.UID]) {
			t.Errorf("%s: member %d has %d bytes of metadata, want the %d of its entry", name, n, len(got), len(metadata[m.UID]))
		}
		n++
		return nil
	}); err != nil || n != len(want) {
		t.Errorf("%s: got the metadata of %d members, %v, want %d", name, n, err, len(want))
	}
}

func numbers(t *testing.T, x archive.Index) {
	for i, r := range []struct{ series, instance, modality string }{
		{"1", "1", "MR"}, {"1", "2", "MR"}, {"2", "1", "SEG"}, {"3", "1", "MR"},
	} {
		add(t, x, Entry(t, Ref("A", r.series, r.instance), i, set(tag.Modality, r.modality)))
	}
	s := one(t, x, query.Study, "")
	for _, tc := range []struct {
		t    tag.Tag
		want []string
	}{
		{tag.ModalitiesInStudy, []string{"MR", "SEG"}},
		{tag.NumberOfStudyRelatedSeries, []string{"3"}},
		{tag.NumberOfStudyRelatedInstances, []string{"4"}},
		{tag.InstanceAvailability, []string{"ONLINE"}},
		{tag.PatientSex, nil},
	} {
		if got := s.Strings(tc.t); !s.Has(tc.t) || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.t.Keyword(), got, tc.want)
		}
	}
	for raw, want := range map[string]int{
		"ModalitiesInStudy=SEG": 1, "ModalitiesInStudy=CT,SEG": 1, "ModalitiesInStudy=CT": 0, "ModalitiesInStudy=S*": 1,
		"NumberOfStudyRelatedSeries=3": 1, "NumberOfStudyRelatedInstances=5": 0, "InstanceAvailability=ONLINE": 1, "InstanceAvailability=NEARLINE": 0,
		"SOPClassesInStudy=" + uid.MRImageStorage: 1, "SOPClassesInStudy=1.2": 0, "Modality=SEG": 1, "Modality=CT": 0,
	} {
		if got := len(find(t, x, query.Study, dicomweb.Ref{}, raw)); got != want {
			t.Errorf("studies?%s: got %d, want %d", raw, got, want)
		}
	}
	if got := one(t, x, query.Study, "includefield=SOPClassesInStudy").String(tag.SOPClassesInStudy); got != uid.MRImageStorage {
		t.Errorf("SOP classes in the study: got %q", got)
	}
	if got := find(t, x, query.Series, dicomweb.Ref{}, "NumberOfSeriesRelatedInstances=2"); len(got) != 1 || got[0].String(tag.NumberOfSeriesRelatedInstances) != "2" {
		t.Errorf("series of two: got %d", len(got))
	}
}

func firstSpeaks(t *testing.T, x archive.Index) {
	add(t, x,
		Entry(t, Ref("A", "1", "1"), 1, set(tag.PatientName, "First", tag.ProtocolName, "one")),
		Entry(t, Ref("A", "1", "2"), 2, set(tag.PatientName, "Second", tag.ProtocolName, "two", tag.StudyID, "S7")))
	s := one(t, x, query.Study, "")
	if s.String(tag.PatientName) != "First" || s.String(tag.StudyID) != "S7" {
		t.Errorf("study: got name %q, ID %q, want First, S7", s.String(tag.PatientName), s.String(tag.StudyID))
	}
	if got := len(find(t, x, query.Study, dicomweb.Ref{}, "StudyID=S7&PatientName=first")); got != 1 {
		t.Errorf("find by both: got %d, want 1", got)
	}
	if got := one(t, x, query.Series, "includefield=ProtocolName").String(tag.ProtocolName); got != "one" {
		t.Errorf("series: got protocol %q, want one", got)
	}
}

func replaceEntry(t *testing.T, x archive.Index) {
	ref := Ref("A", "1", "1")
	add(t, x, Entry(t, ref, 1, set(tag.PatientName, "Wrong", tag.Modality, "CT")))
	add(t, x, Entry(t, Ref("A", "1", "2"), 2, set(tag.PatientName, "Other", tag.Modality, "MR")))
	add(t, x, Entry(t, ref, 3, set(tag.PatientName, "Right", tag.Modality, "MR")))
	s := one(t, x, query.Study, "")
	if got := s.String(tag.PatientName); got != "Other" {
		t.Errorf("name: got %q, want Other: the first instance that is left", got)
	}
	if got := s.Strings(tag.ModalitiesInStudy); !reflect.DeepEqual(got, []string{"MR"}) {
		t.Errorf("modalities: got %v, want MR", got)
	}
	if got := s.String(tag.NumberOfStudyRelatedInstances); got != "2" {
		t.Errorf("instances: got %s, want 2", got)
	}
	moved := Entry(t, dicomweb.Ref{Study: Ref("B", "", "").Study, Series: Ref("B", "1", "").Series, Instance: ref.Instance}, 4, nil)
	add(t, x, moved, Entry(t, Ref("A", "1", "2"), 5, nil))
	if got, ok, err := x.Instance(context.Background(), ref.Instance); err != nil || !ok || got.Ref.Study != moved.Ref.Study {
		t.Errorf("moved: got %+v, %v, %v", got, ok, err)
	}
	if got := len(find(t, x, query.Study, dicomweb.Ref{}, "")); got != 2 {
		t.Errorf("studies: got %d, want 2", got)
	}
}

func removeEntries(t *testing.T, x archive.Index) {
	var all []string
	for i, r := range []dicomweb.Ref{Ref("A", "1", "1"), Ref("A", "1", "2"), Ref("A", "2", "1"), Ref("B", "1", "1")} {
		add(t, x, Entry(t, r, i, nil))
		all = append(all, r.Instance)
	}
	for _, tc := range []struct {
		uids                       []string
		studies, series, instances int
	}{
		{nil, 2, 3, 4}, {[]string{"1.2.3"}, 2, 3, 4}, {all[:1], 2, 3, 3}, {all[2:3], 2, 2, 2}, {all, 0, 0, 0},
	} {
		if err := x.Remove(context.Background(), tc.uids...); err != nil {
			t.Fatal(err)
		}
		var got [3]int
		for l := range got {
			got[l] = len(find(t, x, query.Level(l), dicomweb.Ref{}, ""))
		}
		if want := [3]int{tc.studies, tc.series, tc.instances}; got != want {
			t.Errorf("after removing %v: got %v studies, series, instances, want %v", tc.uids, got, want)
		}
		for _, s := range find(t, x, query.Study, dicomweb.Ref{}, "") {
			if n, _ := s.Int(tag.NumberOfStudyRelatedInstances); n != len(find(t, x, query.Instance, dicomweb.Ref{Study: s.String(tag.StudyInstanceUID)}, "")) {
				t.Errorf("after removing %v: the study's number of instances is %d", tc.uids, n)
			}
		}
	}
}

func revisionOf(t *testing.T, x archive.Index, study string) index.Revision {
	t.Helper()
	r, err := x.Revision(context.Background(), Ref(study, "", "").Study)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func revisions(t *testing.T, x archive.Index) {
	study := Ref("A", "", "").Study
	result := Entry(t, Ref("A", "result", "1"), 5, nil)
	result.Source, result.Result = false, true
	changed := Entry(t, Ref("A", "1", "1"), 9, nil)
	for i, tc := range []struct {
		name  string
		entry *index.Entry
		want  index.Revision
	}{
		{"a source", Entry(t, Ref("A", "1", "1"), 1, nil), index.Revision{Study: study, Revision: 1, Changed: received(1)}},
		{"another", Entry(t, Ref("A", "1", "2"), 2, nil), index.Revision{Study: study, Revision: 2, Changed: received(2)}},
		{"the same bytes", Entry(t, Ref("A", "1", "2"), 2, nil), index.Revision{Study: study, Revision: 2, Changed: received(2)}},
		{"a result", result, index.Revision{Study: study, Revision: 2, Changed: received(2)}},
		{"other bytes", changed, index.Revision{Study: study, Revision: 3, Changed: received(9)}},
	} {
		if i == 0 {
			if got := revisionOf(t, x, "A"); got.Revision != 0 {
				t.Errorf("before: got %+v, want none", got)
			}
		}
		add(t, x, tc.entry)
		if got := revisionOf(t, x, "A"); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
	add(t, x, Entry(t, Ref("B", "1", "1"), 1, nil))
	got := map[string]int64{}
	if err := x.Revisions(context.Background(), func(r index.Revision) error {
		got[r.Study] = r.Revision
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := map[string]int64{study: 3, Ref("B", "", "").Study: 1}; !reflect.DeepEqual(got, want) {
		t.Errorf("revisions: got %v, want %v", got, want)
	}
}

// fill returns a function for Rebuild that adds entries.
func fill(entries ...*index.Entry) func(func(*index.Entry) error) error {
	return func(add func(*index.Entry) error) error {
		for _, e := range entries {
			if err := add(e); err != nil {
				return err
			}
		}
		return nil
	}
}

func rebuild(t *testing.T, x archive.Index) {
	a, b, gone := Entry(t, Ref("A", "1", "1"), 1, nil), Entry(t, Ref("A", "1", "2"), 2, nil), Entry(t, Ref("G", "1", "1"), 3, nil)
	result := Entry(t, Ref("A", "result", "1"), 4, nil)
	result.Source, result.Result = false, true
	add(t, x, a, b, gone, result)
	unmarked := *result
	unmarked.Source, unmarked.Result = true, false // who rebuilds does not recognise it
	found := Entry(t, Ref("A", "1", "3"), 5, nil)
	fresh := []*index.Entry{Entry(t, Ref("N", "1", "1"), 6, nil), Entry(t, Ref("N", "1", "2"), 7, nil), Entry(t, Ref("N", "1", "3"), 9, nil)}
	answer := Entry(t, Ref("N", "result", "1"), 8, nil)
	answer.Source, answer.Result = false, true
	for round := range 2 { // the second time nothing is new
		if err := x.Rebuild(context.Background(), fill(a, b, &unmarked, found, fresh[0], fresh[1], answer, fresh[2])); err != nil {
			t.Fatal(err)
		}
		if got := len(find(t, x, query.Instance, dicomweb.Ref{}, "")); got != 8 {
			t.Errorf("round %d: got %d instances, want 8", round, got)
		}
		if i, ok, _ := x.Instance(context.Background(), result.Ref.Instance); !ok || !i.Result || i.Source {
			t.Errorf("round %d: the result: got %+v, want it still a result", round, i)
		}
		want := index.Revision{Revision: 3, Changed: received(5)}
		want.Study = Ref("A", "", "").Study
		if got := revisionOf(t, x, "A"); got != want {
			t.Errorf("round %d: a known study: got %+v, want %+v: the source that was found advances it", round, got, want)
		}
		want = index.Revision{Study: Ref("N", "", "").Study, Revision: 3, Changed: received(9), Answered: 2}
		if got := revisionOf(t, x, "N"); got != want {
			t.Errorf("round %d: an unknown study: got %+v, want %+v", round, got, want)
		}
	}
	add(t, x, Entry(t, Ref("A", "1", "4"), 10, nil))
	if got := revisionOf(t, x, "A").Revision; got != 4 {
		t.Errorf("after another source: got revision %d, want 4", got)
	}
}

func addWhileRebuilding(t *testing.T, x archive.Index) {
	a, b := Entry(t, Ref("A", "1", "1"), 1, nil), Entry(t, Ref("A", "1", "2"), 2, nil)
	c, d := Entry(t, Ref("A", "1", "3"), 3, nil), Entry(t, Ref("A", "1", "4"), 4, nil)
	add(t, x, a, d)
	err := x.Rebuild(context.Background(), func(enter func(*index.Entry) error) error {
		add(t, x, b, c) // b is seen by the rebuild too, c is not
		if err := x.Remove(context.Background(), d.Ref.Instance); err != nil {
			return err
		}
		if got := len(find(t, x, query.Instance, dicomweb.Ref{}, "")); got != 3 {
			t.Errorf("while rebuilding: got %d instances, want 3", got)
		}
		return errors.Join(enter(a), enter(b))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(find(t, x, query.Instance, dicomweb.Ref{}, "")); got != 3 {
		t.Errorf("afterwards: got %d instances, want 3", got)
	}
	if got := revisionOf(t, x, "A").Revision; got != 4 {
		t.Errorf("revision: got %d, want 4", got)
	}
}

func rebuildFails(t *testing.T, x archive.Index) {
	a := Entry(t, Ref("A", "1", "1"), 1, nil)
	add(t, x, a)
	broken := errors.New("disk is gone")
	if err := x.Rebuild(context.Background(), func(enter func(*index.Entry) error) error {
		return errors.Join(enter(Entry(t, Ref("B", "1", "1"), 2, nil)), broken)
	}); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	add(t, x, Entry(t, Ref("A", "1", "2"), 2, nil))
	if got := len(find(t, x, query.Instance, dicomweb.Ref{}, "")); got != 2 {
		t.Errorf("got %d instances, want 2: those of before and a new one", got)
	}
	if err := x.Rebuild(context.Background(), fill(a)); err != nil {
		t.Errorf("the next rebuild: %v", err)
	}
}

func concurrentAdds(t *testing.T, x archive.Index) {
	var all sync.WaitGroup
	const workers, each = 8, 12
	for w := range workers {
		all.Go(func() {
			for i := range each {
				e := Entry(t, Ref("A", fmt.Sprint(w%2), fmt.Sprint(w, i)), i, nil)
				if err := x.Add(context.Background(), e); err != nil {
					t.Errorf("add: %v", err)
				}
				if _, ok, err := x.Instance(context.Background(), e.Ref.Instance); !ok || err != nil {
					t.Errorf("not there after add: %v", err)
				}
			}
		})
	}
	all.Wait()
	s := one(t, x, query.Study, "")
	if got := s.String(tag.NumberOfStudyRelatedInstances); got != fmt.Sprint(workers*each) {
		t.Errorf("instances: got %s, want %d", got, workers*each)
	}
	if got := revisionOf(t, x, "A").Revision; got != workers*each {
		t.Errorf("revision: got %d, want %d", got, workers*each)
	}
}

func transactions(t *testing.T, x archive.Index) {
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(x.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`CREATE TABLE note (n INTEGER)`)
		return err
	}))
	broken := errors.New("no")
	insert := func(n int, err error) error {
		return x.Update(ctx, func(tx *sql.Tx) error {
			_, e := tx.Exec(`INSERT INTO note VALUES (` + fmt.Sprint(n) + `)`)
			return errors.Join(e, err)
		})
	}
	must(insert(1, nil))
	if err := insert(10, broken); !errors.Is(err, broken) {
		t.Errorf("update that fails: got %v, want %v", err, broken)
	}
	if err := x.Update(ctx, func(*sql.Tx) error { panic("oops") }); err == nil {
		t.Error("update that panics: got no error")
	}
	must(insert(2, nil))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := x.Update(gone, func(*sql.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled update: got %v", err)
	}
	sum := 0
	must(x.View(ctx, func(tx *sql.Tx) error { return tx.QueryRow(`SELECT SUM(n) FROM note`).Scan(&sum) }))
	if sum != 3 {
		t.Errorf("sum: got %d, want 3: what failed is taken back, and nothing else", sum)
	}
	if err := x.View(ctx, func(tx *sql.Tx) error { _, err := tx.Exec(`DELETE FROM note`); return err }); err == nil {
		t.Error("writing in a view: got no error")
	}
}

// wholeFiles matches a key whose value the index does not hold.
func wholeFiles(t *testing.T, x archive.Index) {
	text := "a long text" + string(make([]byte, 0))
	for len(text) < 20_000 {
		text += " and more of it"
	}
	long := Entry(t, Ref("A", "1", "1"), 1, set(tag.ImageComments, text))
	add(t, x, long, Entry(t, Ref("A", "1", "2"), 2, set(tag.ImageComments, "short")))
	opened := 0
	whole := func(_ context.Context, i index.Instance) (*dicom.Dataset, error) {
		opened++
		if i != long.Instance {
			t.Errorf("opened %s, which the index knows", i.Path())
		}
		return Dataset(i.Ref, set(tag.ImageComments, text)), nil
	}
	for _, tc := range []struct {
		level  query.Level
		raw    string
		want   int
		opened int
	}{
		{query.Instance, "ImageComments=*of it", 1, 1},
		{query.Instance, "ImageComments=short", 1, 1},
		{query.Instance, "ImageComments=*of it&Rows=5", 0, 0},
		{query.Study, "ImageComments=a long*", 1, 1},
		{query.Series, "ImageComments=none", 0, 1},
	} {
		opened = 0
		q, _, err := query.Parse(tc.raw, tc.level, dicomweb.Ref{})
		if err != nil {
			t.Fatal(err)
		}
		results, _, err := x.Find(context.Background(), q, whole)
		if err != nil || len(results) != tc.want || opened != tc.opened {
			t.Errorf("%s?%s: got %d results, %d files opened, %v, want %d and %d", tc.level, tc.raw, len(results), opened, err, tc.want, tc.opened)
		}
	}
}
