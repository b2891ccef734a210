//! The evaluation over a small folder made here, and over the recordings where there are some.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use medmon_core::analysis::glucose;
use medmon_core::detect::fall::Placement;
use medmon_core::detect::glucose::Ahead;
use medmon_eval::falls::{self, change::Change, report};
use medmon_eval::table::Table;
use medmon_eval::{glucose as courses, heart_rate, temperature};

fn write(path: &Path, text: &str) {
    let zip = |text: &str| {
        let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
        zipped.write_all(text.as_bytes()).and_then(|()| zipped.finish())
    };
    let bytes = if path.extension().is_some_and(|end| end == "gz") { zip(text) } else { Ok(text.into()) };
    let folder = path.parent().expect("a folder");
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, bytes?)).expect("a writable folder");
}

/// 15 s at 20 Hz: standing, at 7 s an impact or none, lying or standing.
fn samples(name: &str, falls: bool) -> String {
    let sample = |index: i32| {
        let [x, y, z] = match index {
            140 if falls => [0.3, 0.0, 0.3],
            141 if falls => [2.4, 0.9, 2.3],
            142 if falls => [1.8, -0.3, -0.2],
            143.. if falls => [1.0, 0.0, 0.02],
            _ => [0.0, 0.02, 1.0],
        };
        format!("{name},{},{x},{y},{z}\n", index * 50)
    };
    (0..300).map(sample).collect::<Vec<_>>().concat()
}

const HEAD: &str = "recording,t_ms,ax_g,ay_g,az_g\n";

#[test]
fn recordings_of_anybody_are_judged_and_what_is_missing_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join("falls_umafall").join(name);
    write(
        &at("index.csv"),
        "recording,subject,label\nX77_F_a,X77,fall\nX77_D_b,X77,adl\nX77_F_none,X77,fall\nX78_D_c,X78,adl\n",
    );
    // An empty sample, and a recording that nobody labelled.
    let waist = format!("{HEAD}{}X77_F_a,15000,,,\n{}", samples("X77_F_a", true), samples("X77_D_b", false));
    write(&at("X77_waist.csv.gz"), &waist);
    write(&at("X78_waist.csv"), &format!("{HEAD}{}{}", samples("X78_D_c", false), samples("X78_unheard_of", true)));

    let all = falls::load_all(folder.path()).unwrap();
    let lines: Vec<serde_json::Value> =
        report::lines(&all).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<_> = lines.iter().map(|line| (line["recording"].as_str().unwrap(), line["t"].as_f64())).collect();
    let names: Vec<_> = found.iter().map(|row| row.0).collect();
    assert_eq!(names, ["X77_F_a", "X77_D_b", "X78_D_c", "X78_unheard_of"]);
    assert!(found[0].1.is_some_and(|t| (6.9..7.2).contains(&t)) && found[3].1.is_some(), "{found:?}");
    assert!(found[1].1.is_none() && found[2].1.is_none() && lines[0]["place"] == "waist");
    assert!(report::tables(&all).contains("1/1"));

    write(&at("X79_waist.csv"), &format!("{HEAD}X79_D_d,0,one,0,1\n"));
    let error = format!("{:#}", falls::load_all(folder.path()).unwrap_err());
    assert!(error.contains("X79_waist.csv:2: `one` is not a number"), "{error}");
}

#[test]
fn events_are_found_in_traces_of_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let hearts: Vec<_> = (0..1200).map(|t| format!("{t},{},0.01\n", if t > 600 { 140 } else { 70 })).collect();
    write(&at("hr/synth_hr_99.csv.gz"), &format!("t_s,hr_bpm,motion_g\n{}1200,,\n", hearts.concat()));
    write(&at("hr/beats.csv"), "t_s,rr_s\n1,0.8\n");
    write(&at("hr/band_of_somebody.csv"), "time,hr_bpm\n2026-01-01 00:00:00,70\n2026-01-01 00:00:10,\n");
    write(&at("hr/synth_events.csv"), "trace,start_s,end_s,event\nsynth_hr_99,600,1200,tachycardia_at_rest\n");
    let (lines, text) = heart_rate::run(&at("hr")).unwrap();
    let line: serde_json::Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!((line["trace"].as_str(), line["kind"].as_str()), (Some("synth_hr_99"), Some("tachycardia")));
    assert!((660.0..680.0).contains(&line["t"].as_f64().unwrap()), "{line}");
    assert!(text.contains("band_of_somebody") && !text.contains("beats"));

    let heat: Vec<_> = (0..600).map(|t| format!("{t},{}\n", if t > 300 { 38.5 } else { 36.8 })).collect();
    write(&at("heat/fever_x.csv.gz"), &format!("t_min,temp_c\n{}", heat.concat()));
    let (lines, _) = temperature::run(&at("heat")).unwrap();
    let line: serde_json::Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!((line["trace"].as_str(), line["kind"].as_str()), (Some("fever_x"), Some("fever")));
}

#[test]
fn a_course_has_its_figures_and_its_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let falling = [100, 92, 84, 77, 68, 65, 64, 66, 80, 100];
    let rows: Vec<_> =
        falling.iter().enumerate().map(|(step, value)| format!("2026-01-01 10:{:02}:00,{value}\n", step * 5)).collect();
    write(
        &folder.path().join("AZT1D_Somebody.csv.gz"),
        &format!("time,glucose_mgdl\n{}2026-01-01 11:00:00,\n", rows.concat()),
    );
    let (figures, lines, text) = courses::run(folder.path()).unwrap();
    let figures: serde_json::Value = serde_json::from_str(&figures).unwrap();
    let of = &figures["traces"]["AZT1D_Somebody"];
    assert_eq!((of["tbr70"].as_f64(), of["episodes_hypo"].as_u64()), (Some(40.0), Some(1)));
    let line: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(line["t"], "2026-01-01 10:15:00");
    assert_eq!(line["predicted_for"], "2026-01-01 10:20:00");
    assert_eq!((line["level"].as_u64(), line["limit_mg_dl"].as_f64()), (Some(1), Some(70.0)));
    assert!(text.contains("1.000 1/1"), "{text}");
    let few = courses::train::tables(&courses::course::load(folder.path()).unwrap()).unwrap();
    assert!(few.contains("too few people"), "{few}");
}

/// The recordings; `None` after saying so where there are none.
fn recordings() -> Option<PathBuf> {
    let root = std::env::var_os("MEDMON_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    println!("SKIPPED: recordings (none at {})", root.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no recordings at {}", root.display());
    None
}

#[test]
fn figures_of_glucose_are_those_of_others() {
    let Some(root) = recordings() else { return };
    let reference: serde_json::Value =
        serde_json::from_slice(&std::fs::read(root.join("glucose_reference_metrics.json")).unwrap()).unwrap();
    let mut compared = 0;
    for (name, row) in reference["traces"].as_object().unwrap() {
        let table = Table::read(&root.join(format!("glucose/{name}.csv.gz"))).unwrap();
        let (time, value) = (table.column("time").unwrap(), table.column("glucose_mgdl").unwrap());
        let point = |row: medmon_eval::table::Row<'_>| {
            Some((medmon_eval::home::micros(row, time).unwrap(), row.number(value).unwrap()?))
        };
        let points: Vec<_> = table.rows().filter_map(point).collect();
        let found = glucose::figures(&points).unwrap();
        let (plain, iglu) = (&row["formula_numpy"], &row["iglu_python"]);
        let shares = found.shares;
        for (key, ours, theirs) in [
            ("mean", found.mean, &plain["mean"]),
            ("sd", found.sd, &plain["sd_ddof1"]),
            ("cv", found.cv, &plain["cv"]),
            ("gmi", found.gmi, &plain["gmi"]),
            ("70-180", shares.target, &plain["tir_70_180_closed"]),
            ("< 70", shares.very_low + shares.low, &plain["tbr_lt70"]),
            ("< 54", shares.very_low, &plain["tbr_lt54"]),
            ("> 180", shares.high + shares.very_high, &plain["tar_gt180"]),
            ("> 250", shares.very_high, &plain["tar_gt250"]),
            ("lbgi", found.lbgi, &plain["lbgi"]),
            ("hbgi", found.hbgi, &plain["hbgi"]),
            ("mage", found.mage.unwrap(), &iglu["mage_ma"]["MAGE"]),
        ] {
            let theirs = theirs.as_f64().unwrap();
            assert!((ours - theirs).abs() <= 0.01, "{name} {key}: {ours}, not {theirs}");
            compared += 1;
        }
        let episodes = |kind: &str, level: &str| {
            let rows = iglu["episodes"].as_array().unwrap();
            let row = rows.iter().find(|row| row["type"] == kind && row["level"] == level).unwrap();
            row["total_episodes"].as_u64().unwrap() as usize
        };
        assert_eq!(found.hypo, episodes("hypo", "lv1"), "{name}");
        assert_eq!(found.hypo_level_2, episodes("hypo", "lv2"), "{name}");
        assert_eq!(found.hyper, episodes("hyper", "lv1"), "{name}");
        assert_eq!(found.hyper_level_2, episodes("hyper", "lv2"), "{name}");
    }
    println!("{compared} figures compared");
    assert!(compared > 0);
}

#[test]
fn low_glucose_ahead_reaches_its_goals() {
    let Some(root) = recordings() else { return };
    let (mut together, mut days) = (<[courses::course::Told; 3]>::default(), 0.0);
    for course in courses::course::load(&root.join(courses::FOLDER)).unwrap().iter().filter(|course| course.pooled) {
        let told = course.told(&course.alarms(Ahead::default()).unwrap());
        together.iter_mut().zip(&told).for_each(|(together, told)| together.add(told));
        days += course.days();
    }
    // Level 1, level 2, and the urgent alarm, whose events need no prediction: sensitivity, false ones a day.
    for (told, (found, wrong)) in together.iter().zip([(0.93, 1.0), (0.94, 0.45), (0.0, 0.06)]) {
        let each = told.wrong as f64 / days;
        println!("{} {each:.3}", told.events.long());
        assert!(told.events.value() >= found && each <= wrong, "{} {each:.3}", told.events.long());
    }
}

#[test]
fn the_table_in_the_detector_reaches_its_goals() {
    let Some(root) = recordings() else { return };
    let goals = [("waist", 0.98, 0.98), ("chest", 0.97, 0.98), ("pocket", 0.97, 0.95), ("wrist", 0.95, 0.93)];
    for (name, place, recordings) in falls::load_all(&root).unwrap() {
        let placement = Placement::of(Some(place));
        let rates = |change: Change| {
            let rates = report::Rates::of(&change.of(&recordings), placement);
            (rates.sensitivity.value(), rates.specificity.value())
        };
        let native = rates(Change::Native);
        println!("{name}: {native:.3?}");
        let goal = goals.iter().find(|goal| goal.0 == name).unwrap();
        assert!(native.0 >= goal.1 && native.1 >= goal.2, "{name}: {native:.3?}");
        // What precedes a fall changes nothing (a person in a hundred).
        let walked = rates(Change::Walking);
        assert!(native.0 - walked.0 <= 0.02, "{name}: {walked:.3?}");
    }
}
