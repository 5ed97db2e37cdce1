package columns

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// The labelled headers of the development data.
func TestRoleOfsOfDevelopmentData(t *testing.T) {
	data, err := os.ReadFile("../../../shared/data/headers/headers_dev.tsv")
	if err != nil {
		t.Skip("skipped: no development data beside the project")
	}
	right, total := 0, 0
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if f[0] == "header" {
			continue
		}
		got := RoleOf(f[0])
		var ok bool
		switch f[3] {
		case "P":
			ok = got == Primary
		case "S":
			ok = got == Secondary
		case "N":
			ok = got == Other || got == Unnamed
		case "X":
			ok = got == StatusLike
		}
		total++
		if ok {
			right++
		} else {
			t.Errorf("%q (%s): role %d, want %s", f[0], f[1], got, f[3])
		}
	}
	t.Logf("%d of %d right", right, total)
}

func TestRoleOf(t *testing.T) {
	for role, names := range map[Role]string{
		Primary: "E-Mail-Adresse|EMailAddress|Email_Address__c|Work Email|Contact: Email|Email (required)|What is your email address?|Correo-e|" +
			"E-postadress|E-posta Adresi|電子メールアドレス|Eメール|Ｅメール|お客様メールアドレス|电子邮件地址|電子郵件|이메일 주소|Адрес электронной почты|Е-пошта|" +
			"Електронна пошта|Ηλ. ταχυδρομείο|El. pašto adresas|E-posti aadress|Poștă electronică|Địa chỉ email|ที่อยู่อีเมล|عنوان البريد الإلكتروني|پست الکترونیک|" +
			"דוא\"ל|Adreça electrònica|E-poštni naslov|Tölvupóstur|ელ. ფოსტა|Էլ. փոստ|ईमेल पता|E-mail 1|Email1|Recipient address|user.email|Première adresse électronique|" +
			"Huvudsaklig e-postadress|Elsődleges e-mail|Adresă primară de e-mail|Примарна адреса е-поште|Πρωτεύον email|メインのメールアドレス|主电子邮件|기본 이메일|Email chính|" +
			"Seu melhor e-mail|E-posta adresiniz|PrimarySmtpAddress|InternetAddress|E-Mail (Arbeit)|Subscriber's email address",
		Likely: "Spouse Email|Guardian e-mail|Reunion email",
		Secondary: "Email 2|Email2|E-posta adresi 2|Zweite E-Mail|Otro correo|備用電子郵件|サブメールアドレス|Дополнительный email|Diğer e-posta|Secundair e-mailadres|" +
			"Toissijainen sähköposti|Dodatkowy adres e-mail|Másodlagos e-mail cím|İkincil e-posta|次电子邮件|보조 이메일|Email phụ|alt_email|secondaryEmail",
		Other: "Emails Sent|Email Verified|md5_email|SHA256 Email|From|Reply-To Email|Organizer Email|Modified By Email|邮件主题|E-Mail-Format|E-Mail des Besitzers|担当者メールアドレス|" +
			"Nom complet de l'adresse de messagerie|Weergavenaam voor e-mail|Visningsnamn för e-postadress|Sähköpostin tyyppi|E-posta Görünen Adı|电子邮件显示名称|CC Email",
		Unnamed:    "Name|Mailing Address|Adresse|住所|Phone|Shipping State|SMS_BLACKLISTED|Do Not Call|Accepts SMS Marketing|Subscribed at|Soft bounces|",
		StatusLike: "Email Preference|メールマガジン|Désinscription|Dado de baja|Descadastrado|Disiscritto|Uitgeschreven|Avprenumererad|Wypisany|Odhlášen|Leiratkozott|Dezabonat|Отписался|配信停止|退订|수신거부|Zgoda|同意|Gesperrt|Bloqué|Unsubscribe Date|HasOptedOutOfEmail|Email Opt-in|Do Not Email|Subscription status|Suppressed|Spam complaints|Email Marketing Consent|IsExcludedFromCampaigns",
	} {
		for name := range strings.SplitSeq(names, "|") {
			if got := RoleOf(name); got != role {
				t.Errorf("%q: role %d, want %d", name, got, role)
			}
		}
	}
}

// The words of headers.txt must be such as Words makes them, else they are never found.
func TestVocabularyIsFolded(t *testing.T) {
	for word := range newVocabulary() {
		if got := strings.Join(Words(word), " "); got != word {
			t.Errorf("%q is folded to %q", word, got)
		}
	}
	for line := range strings.Lines(headersTxt) {
		if name, _, _ := strings.Cut(line, " "); strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") &&
			!strings.Contains(" mail post elec addr with second not them to ", " "+name+" ") {
			t.Errorf("unknown class: %s", line)
		}
	}
}

// Names in the codepages of their languages.
func TestLegacyHeaders(t *testing.T) {
	for name, page := range map[string]encoding.Encoding{
		"Correo electr\u00f3nico": charmap.Windows1252, "E-mailov\u00e1 adresa": charmap.Windows1250, "\u042d\u043b. \u043f\u043e\u0447\u0442\u0430": charmap.Windows1251,
		"\u0410\u0434\u0440\u0435\u0441 \u044d\u043b. \u043f\u043e\u0447\u0442\u044b": charmap.KOI8R, "\u30e1\u30fc\u30eb\u30a2\u30c9\u30ec\u30b9": japanese.ShiftJIS,
		"\u90ae\u7bb1": simplifiedchinese.GBK, "\u96fb\u5b50\u90f5\u4ef6": traditionalchinese.Big5, "\uc774\uba54\uc77c": korean.EUCKR,
	} {
		coded, err := page.NewEncoder().String(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := RoleOf(coded); got != Primary {
			t.Errorf("%s in %v: role %d", name, page, got)
		}
	}
}
