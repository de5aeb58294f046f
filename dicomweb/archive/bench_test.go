package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/query"
)

// image returns an MR image of 415 x 415 pixels, about 345 kB with its header.
func image(ref dicomweb.Ref, number int) *dicom.Dataset {
	return archivetest.Dataset(ref, func(ds *dicom.Dataset) {
		ds.Set(tag.InstanceNumber, number)
		ds.Set(tag.SeriesDescription, "T1 dyn")
		ds.Set(tag.ImagePositionPatient, 1.5, 2.5, float64(number))
		ds.Set(tag.Rows, 415)
		ds.Set(tag.Columns, 415)
		ds.SetVR(tag.PixelData, dicom.OW, make([]byte, 415*415*2))
	})
}

// BenchmarkPut stores images from four sides at once, each durably. Beside the time, which is mostly the disk's, it
// reports the process' own work per image.
func BenchmarkPut(b *testing.B) {
	a, err := archive.Open(context.Background(), archive.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	const placeholder = "1.2.3.1000000000"
	file := archivetest.File(b, image(dicomweb.Ref{Study: "1.2", Series: "1.2.1", Instance: placeholder}, 1))
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	before := cpuTime(b)
	var n atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range 4 {
		all.Go(func() {
			mine := bytes.Clone(file)
			uid := []byte(placeholder)
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				next := fmt.Appendf(nil, "1.2.3.1%09d", i)
				mine = bytes.ReplaceAll(mine, uid, next)
				uid = next
				if _, err := a.Put(context.Background(), bytes.NewReader(mine), archive.PutOptions{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}

// cpuTime returns the processor time that this process used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFind answers what a viewer asks of 300 studies and of a series of 150.
func BenchmarkFind(b *testing.B) {
	a, err := archive.Open(context.Background(), archive.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	store := func(study, instance string, n int) {
		ds := archivetest.Dataset(archivetest.Ref(study, "1", instance), func(ds *dicom.Dataset) {
			ds.Set(tag.PatientName, "Name^"+study)
			ds.Set(tag.InstanceNumber, n)
		})
		if _, err := a.Put(context.Background(), bytes.NewReader(archivetest.File(b, ds)), archive.PutOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 300 {
		store(fmt.Sprint(i), "1", 1)
	}
	for i := range 150 {
		store("7", fmt.Sprint(i+2), i)
	}
	series := archivetest.Ref("7", "1", "")
	series.Instance = ""
	for _, bc := range []struct {
		name  string
		level query.Level
		ref   dicomweb.Ref
		raw   string
		want  int
	}{
		{"studies, first 101 of 300", query.Study, dicomweb.Ref{}, "limit=101&offset=0&fuzzymatching=false&includefield=00081030,00080060,00080090,00100030", 101},
		{"studies by part of a name", query.Study, dicomweb.Ref{}, "PatientName=*29*", 13},
		{"series of a study", query.Series, dicomweb.Ref{Study: series.Study}, "includefield=00080021,00080031,0008103E,00200011", 1},
		{"instances of a series", query.Instance, series, "", 151},
		{"instances, all fields", query.Instance, series, "includefield=all", 151},
	} {
		b.Run(bc.name, func(b *testing.B) {
			q, _, err := query.Parse(bc.raw, bc.level, bc.ref)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				results, _, err := a.Find(context.Background(), q)
				if err != nil || len(results) != bc.want {
					b.Fatalf("got %d results, %v, want %d", len(results), err, bc.want)
				}
			}
		})
	}
}
