package qido_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/qido"
)

// code is an item of a coded concept.
func code(value, scheme string) *dicom.Dataset {
	d := dicom.New()
	d.Set(tag.CodeValue, value)
	d.Set(tag.CodingSchemeDesignator, scheme)
	d.Set(tag.CodeMeaning, "Meaning of "+value)
	return d
}

// of returns an item that holds another in a sequence.
func of(t tag.Tag, items ...*dicom.Dataset) *dicom.Dataset {
	d := dicom.New()
	d.SetItems(t, items...)
	return d
}

// stored opens an archive with an image, in Latin 1 and with private attributes, and the results of an analysis of it: a
// report, a segmentation and a parametric map.
func stored(t *testing.T) *qido.Service {
	t.Helper()
	a, err := archive.Open(context.Background(), archive.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	put := func(class, series, instance, modality string, more func(d *dicom.Dataset)) {
		d := dicom.New()
		d.Set(tag.SOPClassUID, class)
		d.Set(tag.SOPInstanceUID, instance)
		d.Set(tag.StudyInstanceUID, "1.2")
		d.Set(tag.SeriesInstanceUID, series)
		d.Set(tag.Modality, modality)
		d.Set(tag.PatientID, "P1")
		d.Set(tag.TimezoneOffsetFromUTC, "+0100")
		d.Set(tag.StudyDate, "20240105")
		d.Set(tag.StudyTime, "101530")
		more(d)
		var b bytes.Buffer
		if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Put(context.Background(), &b, archive.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put(uid.MRImageStorage, "1.2.1", "1.2.1.1", "MR", func(d *dicom.Dataset) {
		d.Set(tag.SpecificCharacterSet, "ISO_IR 100")
		d.Put(&dicom.Element{Tag: tag.PatientName, VR: dicom.PN, Value: []byte("M\xfcller^\xc4nne ")})
		d.Set(tag.ImageLaterality, "L")
		d.SetVR(0x00230011, dicom.LO, "AcmeCompany")
		d.SetVR(0x00231101, dicom.LO, "001239")
		d.SetVR(0x00231102, dicom.DS, 1.5)
		request := dicom.New()
		request.Set(tag.RequestedProcedureID, "R1")
		request.Set(tag.ScheduledProcedureStepID, "S1")
		d.SetItems(tag.RequestAttributesSequence, request)
	})
	equipment := dicom.New()
	equipment.Set(tag.Manufacturer, "Example")
	equipment.SetItems(tag.PurposeOfReferenceCodeSequence, code("109102", "DCM"))
	put(uid.Comprehensive3DSRStorage, "1.2.2", "1.2.2.1", "SR", func(d *dicom.Dataset) {
		template := dicom.New()
		template.Set(tag.MappingResource, "DCMR")
		template.Set(tag.TemplateIdentifier, "1500")
		d.SetItems(tag.ContentTemplateSequence, template)
		d.SetItems(tag.ConceptNameCodeSequence, code("126000", "DCM"))
		d.SetItems(tag.ContributingEquipmentSequence, equipment)
		d.SetItems(tag.SeriesDescriptionCodeSequence, code("AI1", "99EX"))
	})
	put(uid.SegmentationStorage, "1.2.3", "1.2.3.1", "SEG", func(d *dicom.Dataset) {
		d.SetItems(tag.SegmentSequence, of(tag.SegmentedPropertyTypeCodeSequence, code("52988006", "SCT")), of(tag.SegmentedPropertyTypeCodeSequence, code("76752008", "SCT")))
		d.SetItems(tag.ContributingEquipmentSequence, equipment)
	})
	put(uid.ParametricMapStorage, "1.2.4", "1.2.4.1", "RWV", func(d *dicom.Dataset) {
		d.SetItems(tag.QuantityDefinitionSequence, of(tag.ConceptCodeSequence, code("113043", "DCM")))
	})
	s, err := qido.New(qido.Config{Archive: a, BaseURL: func(*http.Request) string { return "http://node/dicom-web" }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSearchOfResults asks as consumers of AI results do, and with what else a search may hold, at each level.
func TestSearchOfResults(t *testing.T) {
	s := stored(t)
	for _, c := range []struct {
		name, level, rawQuery string
		found                 []string // UIDs of the level
		holds                 string   // in the answer
		lacks                 string
		warning               string
	}{
		{"series by its coded description", "series", "SeriesDescriptionCodeSequence.CodeValue=AI1", []string{"1.2.2"}, "0008103F", "", ""},
		{"instances by the series' coded description", "instances", "SeriesDescriptionCodeSequence.CodeValue=AI1", []string{"1.2.2.1"}, "", "", ""},
		{"code and scheme of one item", "instances", "SeriesDescriptionCodeSequence.CodeValue=AI1&SeriesDescriptionCodeSequence.CodingSchemeDesignator=DCM", nil, "", "", ""},
		{"equipment at the series", "series", "ContributingEquipmentSequence.Manufacturer=Example", []string{"1.2.2", "1.2.3"}, "", "", ""},
		{"equipment at the instances", "instances", "ContributingEquipmentSequence.PurposeOfReferenceCodeSequence.CodeValue=109102", []string{"1.2.2.1", "1.2.3.1"}, `"0018A001"`, "", ""},
		{"title of the report", "instances", "ConceptNameCodeSequence.CodeValue=126000", []string{"1.2.2.1"}, `"0040A043"`, "", ""},
		{"template of the report", "series", "ContentTemplateSequence.TemplateIdentifier=1500", []string{"1.2.2"}, "", "", ""},
		{"segments", "instances", "SegmentSequence.SegmentedPropertyTypeCodeSequence.CodeValue=76752008", []string{"1.2.3.1"}, `"00620002"`, "", ""},
		{"segments at the study", "studies", "00620002.0062000F.00080100=76752008", []string{"1.2"}, "", "00620002", ""},
		{"quantity", "instances", "QuantityDefinitionSequence.ConceptCodeSequence.CodeValue=113043", []string{"1.2.4.1"}, "", "", ""},
		{"laterality of the image", "instances", "ImageLaterality=L", []string{"1.2.1.1"}, `"00200062":{"vr":"CS","Value":["L"]}`, "", ""},
		{"segments asked for", "instances", "Modality=SEG&includefield=SegmentSequence.SegmentedPropertyTypeCodeSequence", []string{"1.2.3.1"}, `"00620002":{"vr":"SQ","Value":[{`, "", ""},
		{"attributes of instances are no answer of series", "series", "Modality=SEG&includefield=SegmentSequence,SeriesDescriptionCodeSequence", []string{"1.2.3"}, "", "00620002", ""},
		{"request by its sequence", "series", "RequestAttributesSequence.RequestedProcedureID=R1", []string{"1.2.1"}, `"00400009":{"vr":"SH","Value":["S1"]}`, "", ""},
		{"request that differs", "series", "RequestAttributesSequence.RequestedProcedureID=R2", nil, "", "", ""},
		{"private attribute by its creator", "instances", "00230010=AcmeCompany&00231001=001239&includefield=00231002", []string{"1.2.1.1"}, `"00230011":{"vr":"LO","Value":["AcmeCompany"]},"00231101":{"vr":"LO","Value":["001239"]},"00231102":{"vr":"DS","Value":[1.5]}`, "", ""},
		{"private attribute of another creator", "instances", "00230010=Other&00231101=001239", nil, "", "", ""},
		{"name in Latin 1, asked in UTF-8", "studies", "PatientName=m%C3%BCller*", []string{"1.2"}, `"Alphabetic":"Müller^Änne"`, "", ""},
		{"name without accents, fuzzy", "studies", "fuzzymatching=true&PatientName=anne", []string{"1.2"}, `"00080005":{"vr":"CS","Value":["ISO_IR 192"]}`, "", ""},
		{"time zone in series", "series", "Modality=MR", []string{"1.2.1"}, `"00080201":{"vr":"SH","Value":["+0100"]}`, "", ""},
		{"date and time as one moment", "studies", "StudyDate=20240104-20240105&StudyTime=1100-1016", []string{"1.2"}, "", "", ""},
		{"modalities in a list", "studies", "ModalitiesInStudy=CT,SEG", []string{"1.2"}, `"00080061":{"vr":"CS","Value":["MR","RWV","SEG","SR"]}`, "", ""},
		{"no value", "instances", `emptyvaluematching=true&ImageLaterality=""&Modality=MR,SR`, []string{"1.2.2.1"}, "", "", ""},
		{"unknown field is ignored and told", "studies", "includefield=Nonsense", []string{"1.2"}, "", "", "Nonsense"},
		{"a character set that is not there", "studies", "charset=iso-2022-jp", []string{"1.2"}, "", "", "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/", nil)
			r.URL.RawQuery = c.rawQuery
			handle := map[string]func(http.ResponseWriter, *http.Request, dicomweb.Ref) error{"studies": s.Studies, "series": s.Series, "instances": s.Instances}[c.level]
			ref := dicomweb.Ref{Study: "1.2"}
			if c.level == "studies" {
				ref = dicomweb.Ref{}
			}
			if err := handle(w, r, ref); err != nil {
				t.Fatal(err)
			}
			warning := strings.Join(w.Header().Values("Warning"), " ")
			if (warning != "") != (c.warning != "") || !strings.Contains(warning, c.warning) {
				t.Errorf("warning %q, want %q", warning, c.warning)
			}
			if c.found == nil {
				if w.Code != 204 {
					t.Errorf("%d %s, want 204", w.Code, w.Body)
				}
				return
			}
			body := w.Body.String()
			list, err := dicom.ParseJSON(w.Body, dicom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			unique := map[string]tag.Tag{"studies": tag.StudyInstanceUID, "series": tag.SeriesInstanceUID, "instances": tag.SOPInstanceUID}[c.level]
			var got []string
			for _, d := range list {
				got = append(got, d.String(unique))
			}
			if strings.Join(got, " ") != strings.Join(c.found, " ") {
				t.Errorf("found %q, want %q", got, c.found)
			}
			if !strings.Contains(body, c.holds) || c.lacks != "" && strings.Contains(body, c.lacks) {
				t.Errorf("want %s and not %q in %s", c.holds, c.lacks, body)
			}
		})
	}
}
