package words

// report are the phrases of the DICOM results, package server/report.
var report = map[string]in{
	"INVESTIGATIONAL SOFTWARE - NOT FOR CLINICAL USE":                {"연구용 소프트웨어 - 임상 사용 금지 (INVESTIGATIONAL - NOT FOR CLINICAL USE)", "研究用软件 - 不得用于临床 (INVESTIGATIONAL - NOT FOR CLINICAL USE)"},
	"Output of an automated algorithm, not verified by a physician.": {"자동 알고리즘의 결과이며 의사가 확인하지 않았습니다.", "本结果由自动算法生成，未经医师核实。"},
	"Lesion %d":             {"병변 %d", "病灶 %d"},
	"Right breast":          {"우측 유방", "右乳"},
	"Left breast":           {"좌측 유방", "左乳"},
	"Fibroglandular tissue": {"섬유선조직", "纤维腺体组织"},
	"%s missing: no series of this kind was used; what needs it is left out.": {"%s 없음: 이 종류의 영상이 사용되지 않아 이것이 필요한 항목은 빠졌습니다.", "缺少 %s：未使用此类序列，相关项目已省略。"},
	"This is not a negative result.":                                          {"이것은 음성 결과가 아닙니다.", "这不是阴性结果。"},
	"No lesion was found.":                                                    {"병변이 발견되지 않았습니다.", "未发现病灶。"},
}
