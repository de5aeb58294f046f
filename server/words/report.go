package words

// report are the phrases of the DICOM results, package server/report.
var report = map[string]in{
	"INVESTIGATIONAL SOFTWARE - NOT FOR CLINICAL USE":                {"연구용 소프트웨어, 임상 사용 금지 (INVESTIGATIONAL SOFTWARE - NOT FOR CLINICAL USE)", "研究用软件，不得用于临床 (INVESTIGATIONAL SOFTWARE - NOT FOR CLINICAL USE)"},
	"Output of an automated algorithm, not verified by a physician.": {"자동 알고리즘의 결과이며 의사가 확인하지 않았습니다.", "本结果由自动算法生成，未经医师核实。"},
	"Trained on %s":                                 {"학습 자료: %s", "训练数据：%s"},
	"digital phantoms, not patients":                {"환자가 아닌 디지털 팬텀", "数字体模，而非患者"},
	"%d labelled breast MRI studies of %d patients": {"환자 %[2]d명의 표지된 유방 MRI 검사 %[1]d건", "%[2]d 名患者的 %[1]d 次有标注的乳腺 MRI 检查"},

	// How it ended.
	"Analysis not performed: %s":                             {"분석하지 못했습니다: %s", "未进行分析：%s"},
	"This is not a negative result.":                         {"이것은 음성 결과가 아닙니다.", "这不是阴性结果。"},
	"No lesion was found.":                                   {"병변이 발견되지 않았습니다.", "未发现病灶。"},
	"No lesion exceeded the operating point %s.":             {"기준값 %s을(를) 넘는 병변이 없습니다.", "没有病灶超过工作点 %s。"},
	"Lesions reported: %d":                                   {"보고된 병변: %d개", "报告的病灶：%d 个"},
	", none of them judged apart from the whole examination": {", 검사 전체와 별도로 판정된 병변 없음", "，均未单独判断，仅对整个检查作出判断"},
	", none of them judged by a model":                       {", 모델이 판정한 병변 없음", "，均未经模型判断"},
	", of which %d reach the operating point %s":             {", 그중 %d개가 기준값 %s에 도달", "，其中 %d 个达到工作点 %s"},
	"no dynamic contrast-enhanced series was found: two T1-weighted time points of one geometry are needed": {"역동적 조영증강 영상을 찾지 못했습니다: 기하 정보가 같은 T1 강조영상이 두 시점 이상 필요합니다", "未找到动态增强序列：至少需要几何一致的两个时间点的 T1 加权图像"},
	"the dynamic series has %d voxels, more than the %d that are read":                                      {"역동적 조영증강 영상의 복셀이 %d개로 읽을 수 있는 %d개보다 많습니다", "动态增强序列有 %d 个体素，超过可读取的 %d 个"},
	"the phases of the dynamic series differ in size":                                                       {"역동적 조영증강 영상의 시기마다 크기가 다릅니다", "动态增强序列各期的尺寸不同"},
	"%s cannot be read: %v":                                                   {"%s: 읽을 수 없습니다: %v", "%s 无法读取：%v"},
	"no breast was found in the dynamic series":                               {"역동적 조영증강 영상에서 유방을 찾지 못했습니다", "在动态增强序列中未找到乳房"},
	"the analysis failed; the node's log tells why":                           {"분석이 실패했습니다. 이유는 노드의 로그에 있습니다", "分析失败，原因见节点日志"},
	"%s missing: no series of this kind was used; what needs it is left out.": {"%s 없음: 이 종류의 영상이 사용되지 않아 이것이 필요한 항목은 빠졌습니다.", "缺少 %s：未使用此类序列，相关项目已省略。"},

	// Lesions.
	"Lesion %d":             {"병변 %d", "病灶 %d"},
	"Right breast":          {"우측 유방", "右乳"},
	"Left breast":           {"좌측 유방", "左乳"},
	"Fibroglandular tissue": {"섬유선조직", "纤维腺体组织"},
	"%s AI p=%.2f":          {"%s AI p=%.2f", "%s AI p=%.2f"},
	"%s of the same breast: %.0f mm between the surfaces, %.0f mm between the centres": {"같은 유방의 %s: 표면 사이 %.0f mm, 중심 사이 %.0f mm", "同侧乳房的%s：表面间距 %.0f mm，中心间距 %.0f mm"},
	"; in one quadrant (multifocal in place)":                                          {"; 같은 사분면(위치상 다초점)", "；同一象限（位置上为多灶）"},
	"; in different quadrants (multicentric in place)":                                 {"; 다른 사분면(위치상 다중심)", "；不同象限（位置上为多中心）"},
	"Automatic outline.": {"자동 윤곽.", "自动勾画。"},
	"Measurements for viewers. The whole result is in the other report of this study: %s.": {"뷰어용 측정값입니다. 전체 결과는 이 검사의 다른 보고서에 있습니다: %s.", "供阅片软件使用的测量值。完整结果见本检查的另一份报告：%s。"},

	// Models.
	"Whole examination":               {"검사 전체", "整个检查"},
	" (weights %.12s, trained on %s)": {" (가중치 %.12s, 학습 자료: %s)", "（权重 %.12s，训练数据：%s）"},
	"; contributions in log-odds: %s": {"; 로그 오즈 기여도: %s", "；对数几率贡献：%s"},
	"malignancy":                      {"악성", "恶性"},
	"benign":                          {"양성(비악성)", "良性"},
	"malignant":                       {"악성", "恶性"},

	// What the images were like.
	"Left less right breast, over the mean of both: %s.":                                   {"좌측에서 우측을 뺀 값을 양측 평균으로 나눈 비대칭: %s.", "左乳减右乳与两侧均值之比：%s。"},
	"share of fibroglandular tissue %+.0f %%":                                              {"섬유선조직 비율 %+.0f %%", "纤维腺体组织占比 %+.0f %%"},
	"background enhancement %+.0f %%":                                                      {"배경 조영증강 %+.0f %%", "背景强化 %+.0f %%"},
	"Motion within the breasts against the reference phase: %s.":                           {"기준 시기 대비 유방 내 움직임: %s.", "相对于参考期的乳房内运动：%s。"},
	"%s moved by %.1f mm on average (95th percentile %.1f mm, largest %.1f mm), corrected": {"%s: 평균 %.1f mm 움직임(95백분위수 %.1f mm, 최대 %.1f mm), 보정함", "%s：平均移动 %.1f mm（第95百分位 %.1f mm，最大 %.1f mm），已校正"},
	"%s left as acquired":                                                                  {"%s: 촬영된 그대로 둠", "%s：保持采集原状"},
	"phase %d":                                                                             {"%d번째 시기", "第 %d 期"},

	// Series.
	"Series of the study: %s.":  {"검사의 시리즈: %s.", "检查中的序列：%s。"},
	"a series without a number": {"번호 없는 시리즈", "无编号序列"},
	"series %d":                 {"시리즈 %d", "序列 %d"},
	"%s as %s":                  {"%s: %s(으)로 사용", "%s：用作 %s"},
	"%s not used, %s":           {"%s: 사용하지 않음, %s", "%s：未使用，%s"},
	"excluded":                  {"제외됨", "已排除"},
	"uncertain":                 {"불확실함", "不确定"},
	"localizer":                 {"위치 결정 영상", "定位像"},
	"phases %d-%d":              {"%d-%d번째 시기", "第 %d-%d 期"},
}
