# The genuine Sidekiq, told what to do by its first argument. Prints one JSON document.
require "json"
require "rack"
require "sidekiq"
require "sidekiq/api"
require "sidekiq/web"

Sidekiq.configure_client { |config| config.redis = {url: ENV.fetch("REDIS_URL")} }

def page(app, path)
  response = Rack::MockRequest.new(app).get(path)
  {status: response.status, body: response.body}
end

answer = case ARGV.fetch(0)
when "push"
  klass, args, wait = ARGV.fetch(1), JSON.parse(ARGV.fetch(2)), ARGV[3]
  item = {"class" => klass, "args" => args, "queue" => "default", "retry" => true}
  item["at"] = Time.now.to_f + wait.to_f if wait
  {jid: Sidekiq::Client.push(item)}
when "look"
  stats = Sidekiq::Stats.new
  {
    processed: stats.processed, failed: stats.failed,
    queues: Sidekiq::Queue.all.to_h { |queue| [queue.name, queue.map { |job| [job.klass, job.args, job.latency] }] },
    scheduled: Sidekiq::ScheduledSet.new.map { |job| [job.klass, job.args, job.at.to_f - Time.now.to_f] },
    retries: Sidekiq::RetrySet.new.map { |job| [job.klass, job["error_message"], job["retry_count"]] },
    dead: Sidekiq::DeadSet.new.map { |job| [job.klass, job["error_message"]] },
    processes: Sidekiq::ProcessSet.new.map { |process| [process["identity"], process["busy"], process["concurrency"]] },
    work: Sidekiq::WorkSet.new.map { |_, _, work| [work["queue"], work["payload"]["class"]] }
  }
when "retry"
  {retried: Sidekiq::RetrySet.new.map { |job| job.retry }.size}
when "pages"
  app = Rack::Builder.new do
    use Rack::Session::Cookie, secret: "0" * 64
    run Sidekiq::Web
  end
  %w[/ /queues /queues/default /busy /scheduled /retries /morgue].to_h { |path| [path, page(app, path)] }
end
puts JSON.generate(answer)
