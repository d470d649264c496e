//! From one picture to the next: varied, and held against what it was made from.

use crate::support::{TestApp, pictures};

/// A picture can be varied a little or a lot: the composer has its words, the picture itself to start from, and the
/// strength in words; what is not a strength is left out. A stranger's picture starts nothing.
#[tokio::test]
async fn a_picture_is_varied() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let url = ada.make("a boat at dawn", &[("aspect_ratio", "16:9")]).await.attribute(".cell a", "href");
    let pid = url.rsplit('/').next().unwrap().to_owned();
    let page = ada.get(&url).await.html();
    for (label, strength, words) in
        [("Vary a little", "0.3", "Stays close"), ("Vary a lot", "0.7", "Follows your words")]
    {
        let link = page.attributes("a", "href").into_iter().find(|link| link.contains(&format!("strength={strength}")));
        let link = link.unwrap_or_else(|| panic!("{label}"));
        assert!(page.text().contains(label));
        let composer = ada.get(link.split('#').next().unwrap()).await.html();
        assert_eq!(composer.texts("#prompt"), ["a boat at dawn"]);
        assert_eq!(composer.attribute("#composer [name=input]", "value"), pid);
        assert_eq!(composer.attribute("#strength", "value"), strength);
        assert_eq!(composer.texts("output[for=strength]"), [words]);
        assert!(composer.has("[name=mode][value=image_to_image][checked]"));
        assert!(composer.has("[name=aspect_ratio][value='16:9'][checked]"));

        let odd = link.replace(&format!("strength={strength}"), "strength=7");
        let composer = ada.get(odd.split('#').next().unwrap()).await.html();
        assert_eq!(composer.attribute("#strength", "value"), "0.6", "as usual");
        let hers =
            app.sign_in("bo").await.get(&format!("/app/conversations?{}", link.split_once('?').unwrap().1)).await;
        assert!(!hers.html().has("#composer [name=input]"), "a stranger's picture");
    }
    app.finish().await;
}

/// What was made from a picture is shown beside it, until that is deleted; what was made from words has nothing to be
/// held against.
#[tokio::test]
async fn before_and_after() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    let first = bo.make("a boat", &[]).await.attribute(".cell a", "href");
    assert!(!bo.get(&first).await.html().has("#source"));
    assert!(!bo.get(&format!("{first}?compare=1")).await.html().has("#comparison"));

    let upload = Some(("a.png", pictures::png(&pictures::drawing(64, 64))));
    let answer = bo.try_ask("in winter", &[("mode", "image_to_image")], upload).await;
    let second = bo.settled(&answer.location()).await.attribute(".cell a", "href");
    let page = bo.get(&second).await.html();
    let compare = page.attribute("#source a.btn", "href");
    assert!(!page.has("#comparison"));
    let page = bo.get(&compare).await.html();
    assert_eq!(page.texts("#comparison figcaption"), ["Before", "After"]);
    let files = page.attributes("#comparison img", "src");
    assert_eq!(files.len(), 2);
    for file in &files {
        assert_eq!(bo.get(file).await.status, 200, "{file}");
    }
    assert_eq!(page.attribute("#source a.btn", "href"), second);
    let source = files[0].rsplit('/').next().unwrap().to_owned();
    assert_eq!(bo.post(&format!("/app/pictures/{source}/deletion"), &[]).await.status, 303);
    assert!(!bo.get(&compare).await.html().has("#comparison"));
    app.finish().await;
}
