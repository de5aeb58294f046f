package series_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts"
	"mome/experts/series"
	"mome/fixtures/phantom"
)

// vendorFiles reads the DICOM files of an archive of shared/data/vendor-dicom whose names contain part, and leaves them
// in dir for other programs.
func vendorFiles(t *testing.T, archive, part string) (files []*dicom.File, in []series.Instance, dir string) {
	t.Helper()
	root, err := os.Getwd()
	for err == nil && root != "/" {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		root = filepath.Dir(root)
	}
	dir = t.TempDir()
	path := filepath.Join(root, "..", "shared", "data", "vendor-dicom", archive)
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Skipf("no vendor files: %v", err)
	}
	defer z.Close()
	for _, entry := range z.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) < 132 || string(raw[128:132]) != "DICM" || !strings.Contains(entry.Name, part) {
			continue
		}
		f, err := dicom.Scan(bytes.NewReader(raw), int64(len(raw)), dicom.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", entry.Name, err)
		}
		h, err := dicom.Header(f)
		if err != nil {
			t.Fatalf("%s: %v", entry.Name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.dcm", len(files))), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		in = append(in, series.Instance{Header: h, TransferSyntax: f.TransferSyntax})
	}
	if len(in) == 0 {
		t.Fatalf("%s holds no DICOM file with %q in its name", archive, part)
	}
	return files, in, dir
}

func openerOf(files []*dicom.File) series.Opener {
	return func(_ context.Context, i int) (*dicom.File, io.Closer, error) {
		return files[i], io.NopCloser(nil), nil
	}
}

// asDynamic makes the headers those of a T1-weighted gradient echo: time series of brains and phantoms then stand for
// dynamic ones, whose phases their vendors store in the same way.
func asDynamic(in []series.Instance) {
	for _, i := range in {
		i.Header.Set(tag.ScanningSequence, "GR")
		i.Header.Set(tag.RepetitionTime, 5)
		i.Header.Set(tag.EchoTime, 2)
		i.Header.Set(tag.FlipAngle, 10)
		i.Header.Set(tag.EchoPlanarPulseSequence, "NO")
		for _, g := range append(i.Header.Items(tag.PerFrameFunctionalGroupsSequence), i.Header.Items(tag.SharedFunctionalGroupsSequence)...) {
			g.Delete(tag.MREchoSequence)
			g.Delete(tag.MRTimingAndRelatedParametersSequence)
		}
	}
}

func TestVendorPhases(t *testing.T) {
	for _, tc := range []struct {
		name, archive, part string
		phases, slices      int
		known               bool
		lastS               float64
		how                 string
	}{
		{"GE with identifiers, one time", "ge_architect_multiphase_TPI.zip", "2_fMRI", 10, 10, false, 540, "Temporal Position"},
		{"GE with identifiers and times", "ge_architect_multiphase_TPI.zip", "5_fMRI", 10, 10, true, 18, "Temporal Position. Times: Content Time"},
		{"GE without identifiers", "ge_mr750_10phases_noTPI.zip", "mr_0004", 10, 15, false, 540, "repeats of each position"},
		{"Siemens enhanced, a file for each", "siemens_xa20_enhanced_perfusion_timeseries.zip", "Siemens/", 4, 25, false, 180, "Temporal Position"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, in, _ := vendorFiles(t, tc.archive, tc.part)
			asDynamic(in)
			r := series.Sort(in)
			if len(r.DCE) != tc.phases || r.TimesKnown != tc.known {
				t.Fatalf("%d phases, known %v; want %d, %v\n%s", len(r.DCE), r.TimesKnown, tc.phases, tc.known, summary(r))
			}
			last := r.DCE[len(r.DCE)-1]
			if len(last.Slices) != tc.slices || math.Abs(last.TimeS-tc.lastS) > 0.1 {
				t.Errorf("%d slices, last phase at %g s; want %d, %g s", len(last.Slices), last.TimeS, tc.slices, tc.lastS)
			}
			if got := r.Series[0].Reason; r.Series[0].Role != experts.RoleDCE || !strings.Contains(got, tc.how) {
				t.Errorf("reason %q, want %q", got, tc.how)
			}
		})
	}
}

// TestVendorRoles says what every series of the vendors' files is to a breast exam, and on what ground. None of them is a
// breast, and most have a part of their images only.
func TestVendorRoles(t *testing.T) {
	for _, tc := range []struct {
		archive, part string
		want          string   // the summary
		reasons       []string // of each series, a part of it
	}{
		{"canon_galan_enhanced_dwi_520frames.zip", "", "6000 DWI used: b 0, 1500 s/mm2\n", []string{"Diffusion b-value (0018,9087)"}},
		{"ge_architect_multiphase_TPI.zip", "", "2 excluded: echo-planar\n5 excluded: echo-planar\n", []string{"without diffusion weighting", "without diffusion weighting"}},
		{"ge_mr750_10phases_noTPI.zip", "", "4 excluded: echo-planar\n", []string{"without diffusion weighting"}},
		{"ge_signa_pioneer_dwi_tensor_b0_b1000.zip", "", "1 DWI used: b 0, 1000 s/mm2\n", []string{"(0018,9087)"}},
		{"philips_elition_classic_dwi_17vol.zip", "", "701 DWI used: b 0, 1000 s/mm2\n", []string{"b 0: mean of 5 images"}},
		{"siemens_signed12bit.zip", "12bitUnsigned.dcm", "2 excluded: echo-planar\n", []string{"without diffusion weighting"}},
		{"siemens_xa20_enhanced_perfusion_timeseries.zip", "Siemens/", "11 excluded: echo-planar\n", []string{"without diffusion weighting"}},
		{"siemens_xa20_enhanced_perfusion_timeseries.zip", "Agfa/", "11 excluded: echo-planar\n", []string{"without diffusion weighting"}},
		{"siemens_xa30_enhanced_dwi.zip", "", "10 DWI used: b 0, 2500 s/mm2\n11 ADC used: 39 slices\n12 DWI: b 2500 s/mm2, not used\n16 excluded: computed map\n",
			[]string{"b 2500: geometric mean over 5 images", `DIFFUSION\ADC`, "two b-values or more", "TENSOR_B0"}},
		{"uih_umr770_dwi.zip", "In/DTI", "12 DWI used: b 1.3, 929.8 s/mm2\n", []string{"UIH b-value (0065,xx09)"}},
	} {
		t.Run(tc.archive+" "+tc.part, func(t *testing.T) {
			_, in, _ := vendorFiles(t, tc.archive, tc.part)
			r := series.Sort(in)
			if got := summary(r); got != tc.want {
				t.Fatalf("got\n%swant\n%s", got, tc.want)
			}
			for i, u := range r.Series {
				if !strings.Contains(u.Reason, tc.reasons[i]) {
					t.Errorf("series %d: reason %q does not tell %q", u.Number, u.Reason, tc.reasons[i])
				}
				if u.Confidence < 0.7 {
					t.Errorf("series %d: confidence %g", u.Number, u.Confidence)
				}
			}
		})
	}
}

// TestVendorVolumes reads every volume that is built of real files and compares each voxel's place and value with what
// dcm2niix makes of the same files. Left out is one computed map (series 16 of the XA30 study), which is never read.
func TestVendorVolumes(t *testing.T) {
	for _, tc := range []struct {
		name, archive, part string
		dynamic             bool
		bs                  string // b-values and images of a slice
	}{
		{"GE phases", "ge_mr750_10phases_noTPI.zip", "mr_0004", true, ""},
		{"GE phases with identifiers", "ge_architect_multiphase_TPI.zip", "2_fMRI", true, ""},
		{"GE phases, oblique", "ge_architect_multiphase_TPI.zip", "5_fMRI", true, ""},
		{"Siemens XA enhanced phases", "siemens_xa20_enhanced_perfusion_timeseries.zip", "Siemens/", true, ""},
		{"Siemens XA enhanced phases from Agfa's archive", "siemens_xa20_enhanced_perfusion_timeseries.zip", "Agfa/", true, ""},
		{"GE diffusion", "ge_signa_pioneer_dwi_tensor_b0_b1000.zip", "", false, "0 x1, 1000 x6"},
		{"Siemens XA diffusion", "siemens_xa30_enhanced_dwi.zip", "In/10_DWI", false, "0 x1, 2500 x5"},
		{"Siemens XA ADC map", "siemens_xa30_enhanced_dwi.zip", "In/11_DWI", false, ""},
		{"Siemens XA trace image", "siemens_xa30_enhanced_dwi.zip", "In/12_DWI", false, "2500 x1"},
		{"Canon diffusion", "canon_galan_enhanced_dwi_520frames.zip", "", false, "0 x1, 1500 x12"},
		{"Siemens mosaic", "siemens_signed12bit.zip", "12bitUnsigned.dcm", true, ""},
		{"Siemens mosaic, padded samples", "siemens_signed12bit.zip", "12bitUnsigned_0x0F0F.dcm", true, ""},
		{"Siemens mosaic, signed", "siemens_signed12bit.zip", "12bitSigned_0x0F0F.dcm", true, ""},
		{"UIH mosaic diffusion", "uih_umr770_dwi.zip", "In/DTI", false, "1.251 x1, 929.8 x16"},
		{"Philips diffusion", "philips_elition_classic_dwi_17vol.zip", "", false, "0 x5, 1000 x12"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files, in, dir := vendorFiles(t, tc.archive, tc.part)
			if tc.dynamic {
				asDynamic(in)
			}
			if len(in) == 1 && tc.dynamic { // one volume does not make a dynamic series: have it twice
				in, files = append(in, series.Instance{Header: in[0].Header.Clone(), TransferSyntax: in[0].TransferSyntax}), append(files, files[0])
				for n := range in {
					in[n].Header.Set(tag.SOPInstanceUID, fmt.Sprintf("1.2.%d", n+1))
					in[n].Header.Set(tag.TemporalPositionIdentifier, n+1)
				}
			}
			r := series.Sort(in)
			stacks := stacksOf(r)
			var bs []string
			for _, b := range r.DWI {
				bs = append(bs, fmt.Sprintf("%.4g x%d", b.BSPerMM2, len(b.Slices[0])))
			}
			if got := strings.Join(bs, ", "); got != tc.bs || len(stacks) == 0 {
				t.Fatalf("b-values %s, want %s\n%s", got, tc.bs, summary(r))
			}
			nii := convert(t, dir)
			if len(nii) != 1 {
				t.Fatalf("dcm2niix wrote %d files", len(nii))
			}
			if tc.part == "12bitSigned_0x0F0F.dcm" { // before 2023 dcm2niix did not extend the sign of twelve bits
				for _, v := range nii[0].volumes {
					for i := range v {
						if v[i] > 2047 {
							v[i] -= 4096
						}
					}
				}
			}
			for n, s := range stacks {
				got := build(t, in, s.Stack, openerOf(files))
				var of [][]float32
				for k, v := range nii[0].volumes {
					if s.b >= 0 && nii[0].bs != nil && math.Abs(nii[0].bs[k]-s.b) <= 5 || (math.IsNaN(s.b) || nii[0].bs == nil) && k == n%len(nii[0].volumes) {
						of = append(of, v)
					}
				}
				if len(of) != len(s.Slices[0]) {
					t.Fatalf("stack %d has %d images of a slice, dcm2niix has %d volumes", n, len(s.Slices[0]), len(of))
				}
				compareVolumes(t, got, nii[0].grid, of, s.Geometric)
			}
		})
	}
}

// TestPhantomVolumes compares, for phantom studies as every vendor stores them, each volume that is built with what
// dcm2niix makes of the same series: one of its volumes is the same.
func TestPhantomVolumes(t *testing.T) {
	for _, c := range []phantom.Config{
		{Vendor: phantom.Siemens}, {Vendor: phantom.GE, ObliqueDeg: 9}, {Vendor: phantom.Philips}, {Vendor: phantom.UIH}, {Vendor: phantom.GESplit},
		{Vendor: phantom.SiemensXA}, {Vendor: phantom.SiemensXA, ObliqueDeg: 9, Acquisition: phantom.Acquisition{Plane: phantom.Sagittal}},
		{Vendor: phantom.Canon}, {Vendor: phantom.Canon, ObliqueDeg: 9, Acquisition: phantom.Acquisition{Plane: phantom.Coronal, Unilateral: phantom.Right}},
		{Vendor: phantom.GE, Acquisition: phantom.Acquisition{Split: true}},
	} {
		t.Run(fmt.Sprintf("%s %+v", c.Vendor, c.Acquisition), func(t *testing.T) {
			c.Resolution, c.Phases, c.Lesions = phantom.Tiny, 3, []phantom.Lesion{}
			e := phantomExam(t, c)
			converted := map[string][]nifti{} // by Series Instance UID
			for _, s := range stacksOf(series.Sort(e.instances)) {
				nii, ok := converted[s.SeriesUID]
				if !ok {
					nii = convert(t, e.files(t, s.SeriesUID))
					converted[s.SeriesUID] = nii
				}
				got := build(t, e.instances, s.Stack, e.opener(t))
				same := 0
				for _, n := range nii {
					for _, v := range n.volumes {
						if value, place, ok := differences(got, n.grid, [][]float32{v}, false); ok && value < 1e-6 && place < 1e-3 {
							same++
						}
					}
				}
				if same != 1 {
					t.Errorf("series %s: %d of dcm2niix's volumes are that of b %g, want one", e.describe(s.SeriesUID), same, s.b)
				}
			}
		})
	}
}
