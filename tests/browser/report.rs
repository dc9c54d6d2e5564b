//! The report as a reader uses it, in a headless browser. Skips where there is none.

use std::path::{Path, PathBuf};

use parallax::report::evidence::Limits;
use parallax::report::render;
use sha2::{Digest, Sha256};

use super::{chromium, page, synthetic};

fn browser() -> Option<PathBuf> {
    let found = chromium::find();
    if found.is_none() {
        println!("skipped: no Chromium on the path or in PARALLAX_CHROMIUM");
    }
    found
}

/// The report with a second script, let in by its hash, that acts as a reader would and
/// writes what it saw into the document.
fn with_reader(html: &str, script: &str) -> String {
    use base64::Engine;
    let script = format!(
        "window.addEventListener('load', async () => {{ \
           const wait = (ms) => new Promise((done) => setTimeout(done, ms)); \
           const log = []; try {{ {script} }} catch (e) {{ log.push('ERROR ' + e); }} \
           const pre = document.createElement('pre'); pre.id = 'seen'; \
           pre.textContent = log.join('\\n'); document.body.append(pre); }});"
    );
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&script));
    html.replacen("script-src '", &format!("script-src 'sha256-{hash}' '"), 1).replacen(
        "</body>",
        &format!("<script>{script}</script></body>"),
        1,
    )
}

fn seen(dom: &str) -> Vec<String> {
    let from = dom.rfind("<pre id=\"seen\">").expect("the reader's script ran") + 15;
    let text = &dom[from..from + dom[from..].find("</pre>").unwrap()];
    text.lines().map(Into::into).collect()
}

fn visit(browser: &Path, html: &str, hash: &str, script: &str) -> Vec<String> {
    let (_folder, file) = page(&with_reader(html, script));
    let opened = chromium::open(browser, &file, hash, &[]);
    assert!(opened.console.is_empty(), "{:#?}", opened.console);
    seen(&opened.dom)
}

#[test]
fn a_browser_switches_pages_and_finds_the_sentences() {
    let Some(browser) = browser() else { return };
    let html = render(&synthetic::aligned().input("Lake", Limits::default())).unwrap();
    let seen = visit(
        &browser,
        &html,
        "",
        r#"
        const shown = () => [...document.querySelectorAll('.page')].filter(p => getComputedStyle(p).display !== 'none').map(p => p.id).join();
        const items = () => [...document.querySelectorAll('.page:not(.off) li[data-k]')].filter(l => getComputedStyle(l).display !== 'none');
        log.push(shown());
        for (const a of document.querySelectorAll('nav a')) { a.click(); await wait(50); log.push(shown()); }
        location.hash = '#/outlet/lakeside-news'; await wait(50);
        log.push(items().length);
        const page = document.querySelector('.page:not(.off)');
        page.querySelector('tr[data-name=distance] a').click(); await wait(50);
        log.push(items().length + ' ' + items().map(l => l.querySelector('mark').textContent).join('|'));
        log.push(page.querySelector('.state').textContent);
        log.push(decodeURIComponent(location.hash));
        const box = page.querySelector('.search');
        box.value = 'PUMPS'; box.dispatchEvent(new Event('input', {bubbles: true})); await wait(300);
        log.push(items().length + ' ' + location.hash);
        page.querySelector('.all').click(); await wait(50);
        log.push(items().length + ' ' + box.value);
        page.querySelector('button[data-sentences]').click();
        log.push(document.documentElement.dataset.last.replace('\ufeff', '').split('\r\n')[0]);
        page.querySelector('a[href*="/stance/"]').click(); await wait(50);
        log.push(page.querySelector('.state').textContent);
        document.querySelector('#theme').click();
        log.push(document.documentElement.dataset.theme);
    "#,
    );
    let expected = [
        "/overview",
        "/overview",
        "/event/claims-side-by-side",
        "/outlet/harbour-post",
        "/outlet/lakeside-news",
        "/outlet/the-velm-courier",
        "/outlet/valley-radio",
        "/frames",
        "/targets",
        "/words",
        "/differences",
        "/sentences,/outlet/harbour-post,/outlet/lakeside-news,/outlet/the-velm-courier,/outlet/valley-radio",
        "/method",
        "4",
        "2 “water grab”|insisted",
        "2 sentences: distance.",
        "#/outlet/lakeside-news/engagement/distance",
        "1 #/outlet/lakeside-news/engagement/distance?q=PUMPS",
        "4 ",
        "outlet,article,date,event,place,sentence,labels,targets",
        "1 sentence: Orsa.",
        "light",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_link_leads_to_its_view() {
    let Some(browser) = browser() else { return };
    let html = render(&synthetic::one_event().input("Lake", Limits::default())).unwrap();
    let script = "log.push(document.querySelector('.page:not(.off)').id); \
        log.push([...document.querySelectorAll('.page:not(.off) li[data-k]:not(.off)')].length); \
        log.push(document.querySelectorAll('li.here').length); log.push(document.title);";
    let seen =
        visit(&browser, &html, "#/outlet/valley-radio/engagement/distance?q=farmers", script);
    assert_eq!(seen, ["/outlet/valley-radio", "1", "0", "Valley Radio – Lake"]);
    let seen = visit(&browser, &html, "#s5", script);
    assert_eq!(seen, ["/outlet/lakeside-news", "4", "1", "Lakeside News – Lake"]);
    let seen = visit(&browser, &html, "#/no/such/page", script);
    assert_eq!(seen[0], "/overview");
}

#[test]
fn hostile_text_changes_nothing_in_a_browser() {
    let Some(browser) = browser() else { return };
    let html = render(&synthetic::hostile().input("Hostile", Limits::default())).unwrap();
    let seen = visit(
        &browser,
        &html,
        "",
        r#"
        log.push(typeof broken, document.querySelectorAll('img, iframe, svg[onload]').length, document.scripts.length);
        log.push([...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length);
        log.push([...document.querySelectorAll('a[href]')].filter(a => !/^(#|https?:)/.test(a.getAttribute('href'))).length);
        for (const a of document.querySelectorAll('nav a')) { a.click(); await wait(20); }
        log.push(document.documentElement.scrollWidth <= innerWidth ? 'fits' : 'wide ' + document.documentElement.scrollWidth);
        const cells = [];
        for (const b of document.querySelectorAll('button.csv')) { b.click(); cells.push(...document.documentElement.dataset.last.replace('\ufeff', '').split(/[,\r\n]+/)); }
        log.push(cells.filter(c => /^"?[=+@]/.test(c) || /^"?-[^0-9]/.test(c)).join(' ; '));
        log.push(typeof broken);
    "#,
    );
    assert_eq!(seen, ["undefined", "0", "3", "0", "0", "fits", "", "undefined"]);
}

#[test]
fn differences_sort_and_narrow() {
    let Some(browser) = browser() else { return };
    let html = render(&synthetic::many(4, 12, 8).input("Lake", Limits::default())).unwrap();
    let seen = visit(
        &browser,
        &html,
        "#/differences",
        r#"
        const rows = () => [...document.querySelectorAll('table.sortable tbody tr:not(.off)')];
        const heads = [...document.querySelectorAll('table.sortable th button')];
        const all = rows().length;
        heads[4].click();
        const d = rows().map(r => Number(r.dataset.n.split(' ')[0]));
        log.push(d.every((x, i) => !i || d[i - 1] <= x), heads[4].parentNode.getAttribute('aria-sort'));
        heads[4].click();
        log.push(Number(rows()[0].dataset.n.split(' ')[0]) === Math.max(...d));
        const pick = document.querySelector('select.pick'); pick.value = 'Outlet B'; pick.dispatchEvent(new Event('change'));
        log.push(rows().length * 2 === all, rows().every(r => r.textContent.includes('Outlet B')));
        log.push(document.querySelectorAll('#\\/outlet\\/outlet-a svg.trend').length > 0);
    "#,
    );
    assert_eq!(seen, ["true", "ascending", "true", "true", "true", "true"]);
}

#[test]
fn claims_are_filtered_and_lead_to_their_articles() {
    let Some(browser) = browser() else { return };
    let html = render(&synthetic::aligned().input("Lake", Limits::default())).unwrap();
    let seen = visit(
        &browser,
        &html,
        "#/event/claims-side-by-side?contested=1",
        r#"
        const page = document.querySelector('.page:not(.off)');
        const rows = () => [...page.querySelectorAll('.claims tbody tr')].filter(r => getComputedStyle(r).display !== 'none').map(r => r.id).join();
        log.push(rows(), page.querySelector('.state').textContent);
        const box = page.querySelector('.contested'); box.checked = false; box.dispatchEvent(new Event('input', {bubbles: true})); await wait(300);
        log.push(rows(), location.hash.slice(0, 8));
        const by = page.querySelector('.heldby'); by.value = 'Lakeside News'; by.dispatchEvent(new Event('input', {bubbles: true})); await wait(300);
        log.push(rows(), location.hash.split('?')[1]);
        page.querySelector('button[data-claims]').click();
        log.push(document.documentElement.dataset.last.replace('\ufeff', '').split('\r\n').length);
        page.querySelector('#g0 td[data-outlet="Valley Radio"] a.go').click(); await wait(50);
        log.push(document.querySelector('.page:not(.off)').id, document.querySelector('li.here .t').textContent.slice(0, 13));
        location.hash = '#g1'; await wait(50);
        log.push(document.querySelector('.page:not(.off)').id, document.querySelectorAll('tr.here').length);
    "#,
    );
    assert_eq!(
        seen,
        [
            "g0",
            "1 of 2 rows.",
            "g0,g1",
            "#/event/",
            "g0",
            "by=Lakeside+News",
            "6",
            "/outlet/valley-radio",
            "Farmers claim",
            "/event/claims-side-by-side",
            "1"
        ]
    );
}

#[test]
fn sentences_are_filtered_by_everything() {
    let Some(browser) = browser() else { return };
    let html = render(&synthetic::many(4, 12, 8).input("Lake", Limits::default())).unwrap();
    let seen = visit(
        &browser,
        &html,
        "#/sentences?outlet=%2Foutlet%2Foutlet-b&event=Pipe+vote&label=0.2&p=60",
        r#"
        const items = () => [...document.querySelectorAll('.page.outlet:not(.off) li[data-k]:not(.off)')].filter(l => l.offsetParent !== null);
        const field = (name) => document.querySelector('#filters').elements[name];
        const set = async (name, value) => { field(name).value = value; field(name).dispatchEvent(new Event('input', {bubbles: true})); await wait(300); };
        const key = (l, k) => Number((l.dataset.k.split(' ').find(x => x.startsWith(k + ':')) || 'x:-1').split(':')[1]);
        let found = items();
        log.push(found.length > 0 && found.every(l => key(l, '0.2') >= 60 && l.closest('article').dataset.e === 'Pipe vote' && l.closest('.page').dataset.name === 'Outlet B'));
        log.push(field('label').value, document.querySelectorAll('.page.outlet:not(.off)').length);
        const n = found.length;
        await set('outlet', ''); log.push(items().length > n);
        await set('from', '2031-04-01'); found = items();
        log.push(found.length > 0 && found.every(l => l.closest('article').dataset.d >= '2031-04-01'));
        await set('q', 'no such words'); log.push(items().length, document.querySelector('#\\/sentences .state').textContent.startsWith('0 sentences of'));
        document.querySelector('#filters').reset(); await wait(400);
        log.push(items().length === document.querySelectorAll('li[data-k]').length, location.hash);
        await set('label', 't0'); log.push(items().length > 0 && items().every(l => l.querySelector('.m')));
        document.querySelector('#filters button.csv').click();
        log.push(document.documentElement.dataset.last.split('\r\n').length > 2);
    "#,
    );
    let expected =
        ["true", "0.2", "1", "true", "true", "0", "true", "true", "#/sentences", "true", "true"];
    assert_eq!(seen, expected);
}

#[test]
fn charts_are_saved_and_tables_sorted() {
    let Some(browser) = browser() else { return };
    let mut corpus = synthetic::many(4, 12, 8);
    corpus.word("Outlet A", "pumps", None, 1.0);
    let html = render(&corpus.input("Lake", Limits::default())).unwrap();
    let seen = visit(
        &browser,
        &html,
        "",
        r#"
        const page = document.querySelector('.page:not(.off)');
        page.querySelector('button.svg').click();
        const svg = new DOMParser().parseFromString(page.ownerDocument.documentElement.dataset.last, 'image/svg+xml');
        log.push(document.documentElement.dataset.last.startsWith('<svg'));
        for (const hash of ['#/frames', '#/targets', '#/words', '#/outlet/outlet-a']) {
          location.hash = hash; await wait(50);
          for (const d of document.querySelectorAll('.page:not(.off) details')) d.open = true;
          for (const b of document.querySelectorAll('.page:not(.off) button.svg')) b.click();
          log.push(document.documentElement.dataset.last.startsWith('<svg'));
        }
        location.hash = '#/overview'; await wait(50);
        const table = page.querySelector('table.matrix');
        const values = (i) => [...table.tBodies[0].rows].map(r => Number(r.cells[i].dataset.v));
        table.querySelectorAll('button.sort')[1].click();
        log.push(values(1).every((v, i, all) => !i || all[i - 1] >= v));
        table.querySelectorAll('button.sort')[1].click();
        log.push(values(1).every((v, i, all) => !i || all[i - 1] <= v));
        const b = page.querySelector('button.csv'); b.click();
        log.push(document.documentElement.dataset.last.replace('\ufeff', '').split('\r\n').length - 2);
    "#,
    );
    assert_eq!(seen, ["true", "true", "true", "true", "true", "true", "true", "96"]);
}

#[test]
fn whole_articles_open_beside_the_report() {
    use parallax::report::side::{ArticleHead, SideFolder, remove};
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.html");
    let corpus = synthetic::hostile();
    let mut beside = SideFolder::create(&report, "</title>", &corpus.codebook).unwrap();
    let mut places = Vec::new();
    for article in &corpus.articles {
        let head = ArticleHead {
            outlet: article.article.outlet.clone(),
            title: article.article.title.clone(),
            date: article.article.date.clone(),
            url: article.article.url.clone(),
        };
        let rows = corpus.sentences.iter().filter(|s| s.article_id == article.article.id);
        places.push(beside.article(&head, &rows.cloned().collect::<Vec<_>>()).unwrap());
    }
    let place = SideFolder::of(&report);
    assert!(!place.exists(), "it appears whole");
    beside.finish().unwrap();
    assert_eq!(places[0].of(3), "report-sentences/0001.html#a0-3");
    let pages: String = std::fs::read_dir(&place)
        .unwrap()
        .map(|f| std::fs::read_to_string(f.unwrap().path()).unwrap())
        .collect();
    for markup in ["<script", "<img", "<svg onload", "javascript:broken()\"", "<b>T"] {
        assert!(!pages.contains(markup), "{markup}");
    }
    assert!(pages.contains("id=\"a3-6\""), "every sentence of the last article");

    // A link of the report opens the page, as a reader would.
    if let Some(browser) = browser() {
        let mut input = corpus.input("Hostile", Limits::default());
        input.evidence.complete = false;
        for sentence in &mut input.evidence.sentences {
            sentence.context = Some(places[0].of(sentence.sentence_index));
        }
        let html = with_reader(
            &render(&input).unwrap(),
            "document.querySelector('li a.n').click(); await wait(500);",
        );
        std::fs::write(&report, html).unwrap();
        let opened = chromium::open(&browser, &report, "#/sentences", &[]);
        assert!(opened.console.is_empty(), "{:#?}", opened.console);
        assert!(opened.dom.contains("← Report"), "the side page is open");
    }

    // Another program's folder is left alone; ours is replaced.
    std::fs::write(place.join("notes.txt"), "mine").unwrap();
    assert!(remove(&place).is_err());
    assert!(SideFolder::create(&report, "t", &corpus.codebook).is_err());
    std::fs::remove_file(place.join("notes.txt")).unwrap();
    remove(&place).unwrap();
    assert!(!place.exists());
}

#[test]
fn readable_without_scripts() {
    let Some(browser) = browser() else { return };
    let html = render(&synthetic::one_event().input("Lake", Limits::default())).unwrap();
    let html = html.replacen("script-src '", "script-src 'sha256-none' 'x", 1);
    let (_folder, file) = page(&html);
    let opened = chromium::open(&browser, &file, "", &[]);
    assert!(!opened.dom.contains("class=\"js\"") && !opened.dom.contains("page off"));
}

/// Pictures to look at: set `PARALLAX_SCREENSHOTS` to a folder.
#[test]
fn pictures_of_every_page() {
    let Some(folder) = std::env::var_os("PARALLAX_SCREENSHOTS").map(PathBuf::from) else {
        println!("skipped: PARALLAX_SCREENSHOTS names no folder");
        return;
    };
    let Some(browser) = browser() else { return };
    std::fs::create_dir_all(&folder).unwrap();
    let pages = [
        "overview",
        "event/claims-side-by-side",
        "event/lake-survey",
        "outlet/valley-radio",
        "outlet/outlet-a",
        "frames",
        "targets",
        "words",
        "differences",
        "sentences",
        "method",
    ];
    let looks = [
        ("light", "1280,900", ""),
        ("dark", "1280,900", "--blink-settings=preferredColorScheme=0"),
        ("narrow", "500,1200", ""),
    ];
    for (name, corpus) in [("one", synthetic::aligned()), ("many", synthetic::many(6, 24, 10))] {
        let html = render(&corpus.input("Lake Velm", Limits::default())).unwrap();
        let (_folder, file) = page(&html);
        for path in pages.iter().filter(|p| html.contains(&format!("id=\"/{p}\""))) {
            for (look, size, setting) in looks {
                let picture = folder.join(format!("{name}-{}-{look}.png", path.replace('/', "-")));
                let to = format!("--screenshot={}", picture.display());
                let size = format!("--window-size={size}");
                let mut flags = vec!["--hide-scrollbars", to.as_str(), size.as_str()];
                flags.extend(Some(setting).filter(|s| !s.is_empty()));
                chromium::open(&browser, &file, &format!("#/{path}"), &flags);
                assert!(
                    picture.metadata().is_ok_and(|m| m.len() > 10_000),
                    "{}",
                    picture.display()
                );
            }
        }
    }
}
