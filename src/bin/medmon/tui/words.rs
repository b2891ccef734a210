//! The words of the dashboard in English and French. A word that one language lacks does not compile.
//!
//! Not for texts to relatives: the gateway writes those.

use medmon_api::board::Section;
use medmon_core::noun::{Condition, Language, TextReason, Vital};

/// The words of one language.
#[derive(Debug)]
pub struct Words {
    language: Language,
    pub patients: &'static str,
    pub link: &'static str,
    pub lost: &'static str,
    pub lost_means: &'static str,
    pub connecting: &'static str,
    pub frozen: &'static str,
    pub filter: &'static str,
    pub nobody_matches: &'static str,
    pub no_patients: &'static str,
    pub born: &'static str,
    pub no_data: &'static str,
    pub no_gateway: &'static str,
    pub gateway: &'static str,
    pub heard: &'static str,
    pub never_heard: &'static str,
    pub silent_since: &'static str,
    pub since: &'static str,
    pub delivered: &'static str,
    pub silenced_until: &'static str,
    pub acknowledged: &'static str,
    pub not_acknowledged: &'static str,
    pub active: &'static str,
    pub cleared: &'static str,
    pub feels: &'static str,
    pub mood: &'static str,
    pub pain: &'static str,
    pub alerts: &'static str,
    pub feelings: &'static str,
    pub reports: &'static str,
    pub none: &'static str,
    pub loading: &'static str,
    pub acknowledge: &'static str,
    pub acknowledge_question: &'static str,
    pub cancel: &'static str,
    pub silence: &'static str,
    pub silence_how: &'static str,
    pub report: &'static str,
    pub report_how: &'static str,
    pub palette: &'static str,
    pub phone: &'static str,
    pub no_texts: &'static str,
    pub help: &'static str,
    pub help_marks: &'static str,
    pub help_note: &'static str,
    pub read_only: &'static str,
    pub nothing_to_acknowledge: &'static str,
    pub nothing_to_silence: &'static str,
    pub done_acknowledged: &'static str,
    pub done_silenced: &'static str,
    pub done_report: &'static str,
    pub to_contact: &'static str,
    pub takes_care: &'static str,
    pub ladder_step: &'static str,
    pub pages_now: &'static str,
    pub worsened: &'static str,
    pub raised: &'static str,
    pub over: &'static str,
    pub unknown_fact: &'static str,
    pub new_while_frozen: &'static str,
    pub in_force: &'static str,
    pub pending_since: &'static str,
    pub unconfirmed: &'static str,
    pub limits: &'static str,
    pub onset: &'static str,
    pub incomplete: &'static str,
    pub no_segment: &'static str,
}

impl Words {
    /// The words of a language.
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::Fr => &FR,
        }
    }

    fn pick(&self, en: &'static str, fr: &'static str) -> &'static str {
        match self.language {
            Language::En => en,
            Language::Fr => fr,
        }
    }

    /// A part of the board.
    pub fn section(&self, section: Section) -> &'static str {
        match section {
            Section::NeedsAnswer => self.pick("Needs an answer", "Attend une réponse"),
            Section::NotHeard => self.pick("Not heard", "Sans nouvelles"),
            Section::Answered => self.pick("Answered", "Pris en charge"),
            Section::Calm => self.pick("Calm", "Calme"),
        }
    }

    /// What was found.
    pub fn condition(&self, condition: Condition, vital: Vital) -> String {
        let (en, fr) = match condition {
            Condition::Bradycardia => ("bradycardia", "bradycardie"),
            Condition::Tachycardia => ("tachycardia", "tachycardie"),
            Condition::TachycardiaActivityUnknown => {
                ("tachycardia, activity unknown", "tachycardie, activité inconnue")
            }
            Condition::Fever => ("fever", "fièvre"),
            Condition::Hypothermia => ("hypothermia", "hypothermie"),
            Condition::Hypoglycaemia => ("hypoglycaemia", "hypoglycémie"),
            Condition::HypoglycaemiaPredicted => ("glucose falling", "glycémie en baisse"),
            Condition::Hyperglycaemia => ("hyperglycaemia", "hyperglycémie"),
            Condition::Fall => ("fall", "chute"),
            Condition::NearFall => ("near-fall", "presque chute"),
            Condition::LongLie => ("long lie", "reste au sol"),
            Condition::SensorOff => ("sensor off", "capteur retiré"),
            Condition::Silence => {
                return format!("{} {}", self.pick("no", "pas de"), self.vital(vital));
            }
            Condition::TwoSources => ("two sensors as one", "deux capteurs pour un"),
            Condition::FallLimited => ("fall detection limited", "détection de chute limitée"),
            Condition::GatewayDeaf => ("gateway hears nothing", "la passerelle n'entend rien"),
            Condition::LowBattery => ("battery nearly empty", "batterie presque vide"),
            Condition::WeakLink => ("weak radio link", "liaison radio faible"),
            Condition::ModemDown => ("cannot text", "envoi de SMS impossible"),
            Condition::ClockUnsure => ("clock not confirmed", "heure non confirmée"),
            Condition::DiskLow => ("gateway disk nearly full", "disque de la passerelle presque plein"),
            Condition::Forked => ("two boxes as one gateway", "deux boîtiers pour une passerelle"),
            Condition::BrokerDown => ("broker out of order", "courtier en panne"),
            Condition::Drill => ("exercise", "exercice"),
            Condition::Other => ("of a newer release", "d'une version plus récente"),
        };
        self.pick(en, fr).to_owned()
    }

    /// Why somebody is texted; nothing to say of the usual reason.
    pub fn reason(&self, reason: TextReason) -> Option<&'static str> {
        let (en, fr) = match reason {
            TextReason::Raised => return None,
            TextReason::Ask => ("are you all right?", "tout va bien ?"),
            TextReason::Again => ("again", "rappel"),
            TextReason::Summary => ("many texts, summed up", "beaucoup de SMS, résumés"),
            TextReason::Quiet => ("many texts, all answered", "beaucoup de SMS, tout est pris en charge"),
            TextReason::Answered => ("somebody answered", "quelqu'un a répondu"),
            TextReason::Over => ("over", "fini"),
            TextReason::Drill => ("exercise", "exercice"),
            TextReason::Reply => ("reply", "réponse"),
            TextReason::SelfTest => ("self-test", "autotest"),
            TextReason::Other => ("of a newer release", "d'une version plus récente"),
        };
        Some(self.pick(en, fr))
    }

    /// Who pages, by the name in facts.
    pub fn pager<'a>(&self, by: &'a str) -> &'a str {
        match by {
            "cloud" => self.pick("the cloud", "le cloud"),
            "gateway" => self.pick("the gateway", "la passerelle"),
            other => other,
        }
    }

    /// A vital in full.
    pub fn vital(&self, vital: Vital) -> String {
        let (en, fr) = match vital {
            Vital::HEART_RATE => ("heart rate", "fréquence cardiaque"),
            Vital::ACCELERATION => ("movement", "mouvement"),
            Vital::TEMPERATURE => ("temperature", "température"),
            Vital::GLUCOSE => ("glucose", "glycémie"),
            Vital::BATTERY => ("battery", "batterie"),
            Vital::LINK_QUALITY => ("link quality", "qualité du lien"),
            Vital::ACTIVITY => ("activity", "activité"),
            Vital::POSTURE => ("posture", "posture"),
            Vital::BATTERY_VOLTAGE => ("battery voltage", "tension de batterie"),
            Vital::GATEWAY => ("gateway", "passerelle"),
            other => return other.to_string(),
        };
        self.pick(en, fr).to_owned()
    }

    /// A vital in two letters.
    pub fn short(&self, vital: Vital) -> &'static str {
        match vital {
            Vital::HEART_RATE => self.pick("HR", "FC"),
            Vital::TEMPERATURE => "T",
            Vital::GLUCOSE => "G",
            Vital::ACTIVITY | Vital::ACCELERATION => "A",
            _ => "·",
        }
    }

    /// What a key does.
    pub fn action(&self, action: super::input::Action) -> &'static str {
        use super::input::Action;
        match action {
            Action::Down => self.pick("next", "suivant"),
            Action::Up => self.pick("previous", "précédent"),
            Action::First => self.pick("first", "premier"),
            Action::Last => self.pick("last", "dernier"),
            Action::Open => self.pick("open", "ouvrir"),
            Action::Back => self.pick("back", "retour"),
            Action::Acknowledge => self.pick("acknowledge", "acquitter"),
            Action::Silence => self.pick("silence", "suspendre"),
            Action::Report => self.pick("report", "rapport"),
            Action::Filter => self.pick("filter", "filtrer"),
            Action::Palette => self.pick("command", "commande"),
            Action::Freeze => self.pick("freeze the rows", "figer les lignes"),
            Action::Refresh => self.pick("ask anew", "redemander"),
            Action::Help => self.pick("keys", "touches"),
            Action::Quit => self.pick("quit", "quitter"),
        }
    }
}

static EN: Words = Words {
    language: Language::En,
    patients: "patients",
    link: "link",
    lost: "LINK LOST",
    lost_means: "values are old, the alarms of the homes go on by SMS",
    connecting: "asking the server …",
    frozen: "FROZEN",
    filter: "filter",
    nobody_matches: "Nobody matches the filter. esc clears it.",
    no_patients: "No patients in this ward yet. `medmon patient add`",
    born: "born",
    no_data: "no data",
    no_gateway: "no gateway bound. `medmon patient bind`",
    gateway: "gateway",
    heard: "heard",
    never_heard: "not heard yet",
    silent_since: "gateway not heard since",
    since: "since",
    delivered: "delivered",
    silenced_until: "silenced until",
    acknowledged: "acknowledged by",
    not_acknowledged: "not acknowledged by the ward",
    active: "active",
    cleared: "over since",
    feels: "feels",
    mood: "mood",
    pain: "pain",
    alerts: "Alerts",
    feelings: "Feelings",
    reports: "Reports",
    none: "none",
    loading: "asking …",
    acknowledge: "Acknowledge",
    acknowledge_question: "You take care of it for the ward; the texts stop.",
    cancel: "Cancel",
    silence: "Silence",
    silence_how: "for how long and why, such as: 30m wound care",
    report: "Report",
    report_how: "enter adds it for good, esc leaves",
    palette: "open NAME · ack · silence · report · ward [NAME] · filter TEXT · freeze · help · quit",
    phone: "Phones",
    no_texts: "no texts yet",
    help: "Keys",
    help_marks: "*** ** * priority, blinking until the ward answers · ✓ answered · ? not heard\n\
                 ↗ → ↘ where a value goes · ~ measured badly · ? too old to be believed\n\
                 SMS Paul … sent · SMS Paul ✓ delivered · OK Paul a relative answered",
    help_note: "Limits need a clinician's sign-off. medmon is not a certified medical device.",
    read_only: "read-only: nothing can be changed from here",
    nothing_to_acknowledge: "nothing here waits for an acknowledgement",
    nothing_to_silence: "no open alert here",
    done_acknowledged: "acknowledged",
    done_silenced: "silenced",
    done_report: "report added",
    to_contact: "text to",
    takes_care: "takes care of it",
    ladder_step: "ladder goes on to step",
    pages_now: "pages now",
    worsened: "worse",
    raised: "raised",
    over: "condition over",
    unknown_fact: "something that a newer release knows",
    new_while_frozen: "something new, f shows it",
    in_force: "settings in force",
    pending_since: "settings pending since",
    unconfirmed: "binding not confirmed",
    limits: "limits",
    onset: "onset",
    incomplete: "incomplete",
    no_segment: "raw readings: not uploaded yet",
};

static FR: Words = Words {
    language: Language::Fr,
    patients: "patients",
    link: "lien",
    lost: "LIEN PERDU",
    lost_means: "valeurs anciennes, les alarmes des domiciles continuent par SMS",
    connecting: "demande au serveur …",
    frozen: "FIGÉ",
    filter: "filtre",
    nobody_matches: "Personne ne répond au filtre. esc l'efface.",
    no_patients: "Pas encore de patients dans ce service. `medmon patient add`",
    born: "né(e) en",
    no_data: "pas de données",
    no_gateway: "aucune passerelle liée. `medmon patient bind`",
    gateway: "passerelle",
    heard: "entendue il y a",
    never_heard: "pas encore entendue",
    silent_since: "passerelle muette depuis",
    since: "depuis",
    delivered: "remis",
    silenced_until: "suspendu jusqu'à",
    acknowledged: "pris en charge par",
    not_acknowledged: "pas pris en charge par le service",
    active: "en cours",
    cleared: "fini depuis",
    feels: "moral",
    mood: "humeur",
    pain: "douleur",
    alerts: "Alertes",
    feelings: "Ressentis",
    reports: "Rapports",
    none: "aucun",
    loading: "demande …",
    acknowledge: "Acquitter",
    acknowledge_question: "Vous vous en occupez pour le service ; les SMS s'arrêtent.",
    cancel: "Annuler",
    silence: "Suspendre",
    silence_how: "combien de temps et pourquoi, par exemple : 30m soin de plaie",
    report: "Rapport",
    report_how: "entrée l'ajoute définitivement, esc abandonne",
    palette: "open NOM · ack · silence · report · ward [NOM] · filter TEXTE · freeze · help · quit",
    phone: "Téléphones",
    no_texts: "pas encore de SMS",
    help: "Touches",
    help_marks: "*** ** * priorité, clignote jusqu'à la réponse · ✓ pris en charge · ? sans nouvelles\n\
                 ↗ → ↘ où va une valeur · ~ mal mesurée · ? trop vieille pour être crue\n\
                 SMS Paul … envoyé · SMS Paul ✓ remis · OK Paul un proche a répondu",
    help_note: "Les limites demandent l'accord d'un clinicien. medmon n'est pas un dispositif médical certifié.",
    read_only: "lecture seule : rien ne peut être changé d'ici",
    nothing_to_acknowledge: "rien ici n'attend de prise en charge",
    nothing_to_silence: "pas d'alerte ouverte ici",
    done_acknowledged: "pris en charge",
    done_silenced: "suspendu",
    done_report: "rapport ajouté",
    to_contact: "SMS à",
    takes_care: "s'en occupe",
    ladder_step: "l'échelle passe à l'étape",
    pages_now: "appelle maintenant",
    worsened: "aggravé",
    raised: "levée",
    over: "condition finie",
    unknown_fact: "quelque chose d'une version plus récente",
    new_while_frozen: "du nouveau, f le montre",
    in_force: "réglages en vigueur",
    pending_since: "réglages en attente depuis",
    unconfirmed: "liaison non confirmée",
    limits: "limites",
    onset: "début",
    incomplete: "incomplet",
    no_segment: "mesures brutes : pas encore transmises",
};
